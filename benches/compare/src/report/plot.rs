//! A bar chart for each workload, on a scale of powers of ten: engines lie too far apart for any other.

use super::markdown::grouped;
use super::table::{Row, Table};
use crate::error::{Error, Result};
use crate::subject::Subject;
use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{PathElement, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, RGBColor, ShapeStyle, TextStyle};
use std::path::Path;

const WIDTH: u32 = 860;
/// Where bars begin, and where the longest may end.
const LEFT: i32 = 170;
const RIGHT: i32 = 720;
const TOP: i32 = 64;
const ROW: i32 = 26;
const FONT: &str = "sans-serif";
/// Sizes of text, as the library counts them: a quarter more than they come out at.
const TITLE: i32 = 21;
const SMALL: i32 = 15;

const INK: RGBColor = RGBColor(40, 40, 48);
const PAPER: RGBColor = RGBColor(255, 255, 255);
const GRID: RGBColor = RGBColor(222, 222, 228);
const OURS: RGBColor = RGBColor(32, 102, 176);
const THEIRS: RGBColor = RGBColor(150, 156, 168);
const LIMIT: RGBColor = RGBColor(214, 178, 84);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn plot<E: std::fmt::Display>(error: E) -> Error {
    Error::Plot(error.to_string())
}

/// Draws the table's chart into a file.
pub fn draw(table: &Table, path: &Path) -> Result<()> {
    let rows = i32::try_from(table.rows.len()).map_err(plot)?;
    let bottom = TOP + rows * ROW;
    let area = SVGBackend::new(path, (WIDTH, u32::try_from(bottom + 34).map_err(plot)?)).into_drawing_area();
    area.fill(&PAPER).map_err(plot)?;
    let better = if table.workload.less_is_better() { ", less is better" } else { "" };
    write(&area, table.workload.title(), (12, 12), TITLE, HPos::Left)?;
    write(
        &area,
        &format!("{}{better}; each line is ten times the one before", table.workload.unit().name()),
        (12, 36),
        SMALL,
        HPos::Left,
    )?;
    let scale = Scale::new(&table.rows);
    for decade in scale.first..=scale.last {
        let x = scale.x(10_f64.powi(decade));
        area.draw(&PathElement::new(vec![(x, TOP), (x, bottom)], ShapeStyle::from(&GRID))).map_err(plot)?;
        write(&area, &power(decade), (x, bottom + 8), SMALL, HPos::Center)?;
    }
    for (place, row) in table.rows.iter().enumerate() {
        bar(&area, &scale, row, TOP + i32::try_from(place).map_err(plot)? * ROW)?;
    }
    area.present().map_err(plot)
}

fn bar(area: &Area<'_>, scale: &Scale, row: &Row, top: i32) -> Result<()> {
    let color = match row.subject {
        Subject::Limit(_) => LIMIT,
        Subject::Engine(kind) if kind.is_stratalog() => OURS,
        Subject::Engine(_) => THEIRS,
    };
    let middle = top + ROW / 2;
    let end = scale.x(row.value.median);
    area.draw(&Rectangle::new([(LEFT, top + 5), (end, top + ROW - 5)], color.filled())).map_err(plot)?;
    // From the least to the most.
    let whisker = vec![(scale.x(row.value.low), middle), (scale.x(row.value.high), middle)];
    area.draw(&PathElement::new(whisker, ShapeStyle::from(&INK))).map_err(plot)?;
    write(area, row.subject.name(), (LEFT - 8, middle - 6), SMALL, HPos::Right)?;
    write(area, &grouped(row.value.median), (end.max(scale.x(row.value.high)) + 8, middle - 6), SMALL, HPos::Left)
}

fn write(area: &Area<'_>, text: &str, at: (i32, i32), size: i32, align: HPos) -> Result<()> {
    let style = TextStyle::from((FONT, size).into_font()).color(&INK).pos(Pos::new(align, VPos::Top));
    area.draw(&Text::new(text.to_owned(), at, style)).map_err(plot)
}

fn power(decade: i32) -> String {
    if decade >= 0 {
        grouped(10_f64.powi(decade)).trim_end_matches(".00").to_owned()
    } else {
        format!("{}", 10_f64.powi(decade))
    }
}

/// Powers of ten from below the least to above the most.
struct Scale {
    first: i32,
    last: i32,
}

impl Scale {
    fn new(rows: &[Row]) -> Self {
        let positive = |value: f64| value.max(1e-3).log10();
        let least = rows.iter().map(|row| positive(row.value.low)).fold(f64::INFINITY, f64::min);
        let most = rows.iter().map(|row| positive(row.value.high)).fold(f64::NEG_INFINITY, f64::max);
        if least > most {
            return Self { first: 0, last: 1 };
        }
        let (first, last) = (least.floor() as i32 - 1, most.ceil() as i32);
        Self { first, last: last.max(first + 1) }
    }

    fn x(&self, value: f64) -> i32 {
        let share = (value.max(1e-3).log10() - f64::from(self.first)) / f64::from(self.last - self.first);
        LEFT + (share.clamp(0.0, 1.0) * f64::from(RIGHT - LEFT)) as i32
    }
}
