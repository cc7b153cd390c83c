//! The report: from the records of a run to a page of Markdown with a table and a plot for each workload.

mod bars;
mod figures;
mod markdown;
mod models;
mod plot;
mod statistics;
mod table;
#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use crate::measure::{Record, read_json};
use crate::options::Report;
use crate::run::{Description, RECORDS, RUN};
use crate::workloads::Workload;
use figures::Figures;
use markdown::Page;
use std::path::{Component, Path, PathBuf};
use table::Table;

/// Where a run about huge stores is, within the folder of the usual one.
const HUGE: &str = "huge";

/// Writes the report.
///
/// # Errors
/// When records cannot be read, or the report cannot be written.
pub fn report(options: &Report) -> Result<()> {
    let description: Description = read_json(&options.folder.join(RUN))?;
    let mut records = records(&options.folder.join(RECORDS))?;
    // The run about huge stores is one of its own.
    let beside = options.folder.join(HUGE);
    let huge: Option<Description> = if beside.join(RUN).exists() {
        records.extend(self::records(&beside.join(RECORDS))?);
        Some(read_json(&beside.join(RUN))?)
    } else {
        None
    };
    let tables: Vec<Table> = Workload::ALL.into_iter().filter_map(|workload| Table::new(workload, &records)).collect();
    let to = options.to.clone().unwrap_or_else(|| options.folder.join("PERFORMANCE.md"));
    let plots = options.plots.clone().unwrap_or_else(|| options.folder.join("plots"));
    std::fs::create_dir_all(&plots).map_err(Error::io(&plots))?;
    for table in tables.iter().filter(|table| has_plot(table)) {
        plot::draw(table, &plots.join(plot_name(table.workload)))?;
    }
    let notes = match &options.notes {
        Some(path) => std::fs::read_to_string(path).map_err(Error::io(path))?,
        None => String::new(),
    };
    let folder = to.parent().unwrap_or(Path::new(""));
    let figures = Figures { tables: &tables, records: &records, payload: description.sizes.payload };
    let bars = bars::table(&figures, options.profiles.as_deref());
    let page = Page { description: &description, huge: huge.as_ref(), bars: &bars, plots: &relative(folder, &plots)? };
    let page = markdown::page(&page, &tables, &notes);
    std::fs::write(&to, page).map_err(Error::io(&to))
}

fn records(folder: &Path) -> Result<Vec<Record>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder))? {
        paths.push(entry.map_err(Error::io(folder))?.path());
    }
    paths.sort();
    paths.iter().map(|path| read_json(path)).collect()
}

/// Whether there is something to hold against something.
fn has_plot(table: &Table) -> bool {
    table.rows.len() > 1
}

fn plot_name(workload: Workload) -> String {
    format!("{}.svg", workload.name())
}

/// How a link in a page of folder `from` names `to`.
fn relative(from: &Path, to: &Path) -> Result<String> {
    let whole = |path: &Path| {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        path.canonicalize().map_err(Error::io(path))
    };
    let (from, to) = (whole(from)?, whole(to)?);
    let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    let path: PathBuf = up.chain(to.components().skip(shared)).collect();
    Ok(path.to_string_lossy().into_owned())
}
