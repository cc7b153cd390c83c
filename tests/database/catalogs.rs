//! Tests of catalogs, on disk and in memory.

use super::*;
use std::fs;
use std::path::Path;
use stratalog::{
    AppendError, Catalog, CatalogOptions, DatabaseSource, Durability, EventStore, NewEvent, OpenError, OpenMode,
    Options,
};

fn options() -> CatalogOptions {
    let store = Options::new().durability(Durability::Os);
    CatalogOptions::new().base_uri("https://events.example").store(store)
}

fn on_disk(path: &Path) -> Catalog {
    Catalog::open_with(path, options()).unwrap()
}

/// Runs a check on an empty catalog in memory and on one on disk.
#[expect(clippy::print_stdout, reason = "the harness shows it for a test that fails")]
fn on_both(check: impl Fn(Catalog)) {
    println!("in memory");
    check(Catalog::in_memory_with(options()).unwrap());
    println!("on disk");
    let directory = tempfile::tempdir().unwrap();
    check(on_disk(directory.path()));
}

#[test]
fn make_list_and_delete_databases() {
    on_both(|catalog| {
        assert!(catalog.list().unwrap().is_empty());
        for name in ["bank", "Zoo", "a-b_c.9", "aa"] {
            let database = catalog.create(name).unwrap();
            assert_eq!(database.name(), name);
            assert_eq!(database.source(), &DatabaseSource::new("https://events.example", name).unwrap());
            database.transact([with_id("e")]).unwrap();
        }
        assert_eq!(catalog.list().unwrap(), ["Zoo", "a-b_c.9", "aa", "bank"], "in order of bytes");
        let error = catalog.create("bank").unwrap_err();
        assert!(matches!(&error, DatabaseError::AlreadyExists { name } if &**name == "bank"), "{error}");
        assert_eq!(catalog.database("bank").unwrap().latest().unwrap().revision(), revision(1));

        let bank = catalog.database("bank").unwrap();
        catalog.delete("bank").unwrap();
        assert!(matches!(bank.transact([with_id("f")]), Err(DatabaseError::Append(AppendError::Closed))));
        assert_eq!(catalog.list().unwrap(), ["Zoo", "a-b_c.9", "aa"]);
        for gone in [catalog.database("bank").map(drop), catalog.delete("bank")] {
            assert!(matches!(gone, Err(DatabaseError::NotFound { .. })), "{gone:?}");
        }
        let again = catalog.create("bank").unwrap();
        assert_eq!(again.latest().unwrap().revision(), Revision::EMPTY, "nothing is left of the one before");
    });
}

#[test]
fn take_no_name_outside_the_rules() {
    on_both(|catalog| {
        let long = "c".repeat(129);
        for name in ["", "a", "..", ".", "../bank", "/bank", "a/b", "1bank", ".github", "a b", "bänk", &long] {
            for refused in [catalog.create(name).map(drop), catalog.database(name).map(drop), catalog.delete(name)] {
                let Err(DatabaseError::Name(error)) = refused else { panic!("{name:?}: {refused:?}") };
                assert_eq!((error.what, &*error.name), ("database", name));
            }
        }
        assert!(matches!(catalog.create("streams"), Err(DatabaseError::Source(_))), "sources would be ambiguous");
        assert!(catalog.list().unwrap().is_empty());
    });
}

#[test]
fn have_strict_names_unless_told_otherwise() {
    on_both(|catalog| {
        let store = catalog.create("bank").unwrap().store().clone();
        let refused = store.stream("t", "s").publish([NewEvent::empty("n")]);
        assert!(matches!(refused, Err(AppendError::InvalidName { .. })), "{refused:?}");
    });
    let lenient = || options().store(Options::new().durability(Durability::Os).strict_names(false));
    let directory = tempfile::tempdir().unwrap();
    let on_disk = Catalog::open_with(directory.path(), lenient()).unwrap();
    for catalog in [Catalog::in_memory_with(lenient()).unwrap(), on_disk] {
        let store = catalog.create("bank").unwrap().store().clone();
        store.stream("t", "s").publish([NewEvent::empty("n")]).unwrap();
    }
}

#[test]
fn hold_their_databases_open_until_they_are_closed() {
    on_both(|catalog| {
        let bank = catalog.create("bank").unwrap();
        bank.transact([with_id("e")]).unwrap();
        assert_eq!(catalog.clone().database("bank").unwrap().latest().unwrap().revision(), revision(1));
        catalog.close().unwrap();
        assert!(matches!(bank.latest(), Err(DatabaseError::Read(stratalog::ReadError::Closed))));
    });
}

#[test]
fn on_disk_keep_name_base_and_time_of_making() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deep/data");
    let made = {
        let catalog = on_disk(&path);
        let bank = catalog.create("bank").unwrap();
        bank.transact([with_id("e")]).unwrap();
        catalog.close().unwrap();
        assert_eq!(catalog.database("bank").unwrap().latest().unwrap().revision(), revision(1), "opened again");
        (bank.source().clone(), bank.created_at())
    };
    let catalog = Catalog::open_with(&path, options().base_uri("https://other.example")).unwrap();
    assert_eq!(catalog.list().unwrap(), ["bank"]);
    let bank = catalog.database("bank").unwrap();
    assert_eq!((bank.source().clone(), bank.created_at()), made);
    assert_eq!(catalog.create("vault").unwrap().source().base_uri(), "https://other.example");
    bank.store().close().unwrap();
    assert_eq!(catalog.database("bank").unwrap().latest().unwrap().revision(), revision(1), "closed by its user");
    catalog.close().unwrap();
    fs::rename(path.join("bank"), path.join("bunk")).unwrap();
    let error = catalog.database("bunk").unwrap_err();
    assert!(matches!(&error, DatabaseError::OtherSource { stored, .. } if stored.database() == "bank"), "{error}");
}

#[test]
fn do_not_delete_what_is_open_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let (here, elsewhere) = (on_disk(directory.path()), on_disk(directory.path()));
    let bank = here.create("bank").unwrap();
    for refused in [elsewhere.delete("bank"), elsewhere.database("bank").map(drop)] {
        let error = refused.unwrap_err();
        let DatabaseError::Open(OpenError::AlreadyOpen { process, .. }) = &error else { panic!("{error}") };
        assert_eq!((process, error.retry()), (&Some(std::process::id()), stratalog::Retry::Safe));
    }
    bank.transact([with_id("e")]).unwrap();
    assert_eq!(elsewhere.list().unwrap(), ["bank"], "it is seen all the same");
    drop((bank, here));
    elsewhere.delete("bank").unwrap();
    let left: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [".catalog-lock"], "nothing of it is left");
}

#[test]
fn remove_what_was_cut_short_and_show_none_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let catalog = on_disk(directory.path());
    catalog.create("bank").unwrap();
    catalog.close().unwrap();
    // As a crash leaves them: one that was being made, and one that was being deleted.
    let half_made = directory.path().join(".unnamed-1");
    EventStore::open(&half_made).unwrap().close().unwrap();
    fs::create_dir(directory.path().join(".unnamed-2")).unwrap();
    // And things that are no databases.
    fs::create_dir(directory.path().join("folder")).unwrap();
    fs::write(directory.path().join("file"), "text").unwrap();
    assert_eq!(catalog.list().unwrap(), ["bank"]);
    for name in ["folder", "file"] {
        assert!(matches!(catalog.database(name), Err(DatabaseError::NotFound { .. })), "{name}");
        assert!(matches!(catalog.delete(name), Err(DatabaseError::NotFound { .. })), "{name}");
        assert!(matches!(catalog.create(name), Err(DatabaseError::AlreadyExists { .. })), "{name}");
    }
    let again = on_disk(directory.path());
    assert_eq!(again.list().unwrap(), ["bank"]);
    let mut left: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, [".catalog-lock", "bank", "file", "folder"]);
}

#[cfg(unix)]
#[test]
fn do_not_follow_links_out_of_their_directory() {
    let (directory, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    EventStore::open(outside.path().join("store")).unwrap().close().unwrap();
    std::os::unix::fs::symlink(outside.path().join("store"), directory.path().join("bank")).unwrap();
    let catalog = on_disk(directory.path());
    assert!(catalog.list().unwrap().is_empty());
    assert!(matches!(catalog.database("bank"), Err(DatabaseError::NotFound { .. })));
    assert!(matches!(catalog.delete("bank"), Err(DatabaseError::NotFound { .. })));
    assert!(outside.path().join("store").is_dir());
}

#[test]
fn take_in_a_store_that_was_put_there() {
    let directory = tempfile::tempdir().unwrap();
    let store = EventStore::open(directory.path().join("bank")).unwrap();
    store.stream("t", "s").publish([NewEvent::empty("n")]).unwrap();
    store.close().unwrap();
    let bank = on_disk(directory.path()).database("bank").unwrap();
    assert_eq!(bank.source().to_string(), "https://events.example/db/bank");
    assert_eq!(revisions(bank.latest().unwrap().query(all())), [1]);
    assert!(bank.store().stream("t", "s").publish([NewEvent::empty("n")]).is_ok(), "its names stay as they were");
}

#[test]
fn for_reading_alone_change_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    let read_only = || options().store(Options::new().mode(OpenMode::ReadOnly));
    let missing = Catalog::open_with(&path, read_only());
    assert!(matches!(missing, Err(DatabaseError::Open(OpenError::Io(_)))), "{missing:?}");
    {
        let catalog = on_disk(&path);
        catalog.create("bank").unwrap().transact([with_id("e")]).unwrap();
        catalog.close().unwrap();
    }
    let catalog = Catalog::open_with(&path, read_only()).unwrap();
    assert_eq!(catalog.list().unwrap(), ["bank"]);
    let bank = catalog.database("bank").unwrap();
    assert_eq!(revisions(bank.latest().unwrap().query(all())), [1]);
    let refusals = [catalog.create("vault").map(drop), catalog.delete("bank"), bank.transact([with_id("f")]).map(drop)];
    for refused in refusals {
        assert!(matches!(refused, Err(DatabaseError::Append(AppendError::ReadOnly))), "{refused:?}");
    }
}

#[test]
fn make_one_of_a_name_however_many_try_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let catalogs: Vec<Catalog> = (0..8).map(|_| on_disk(directory.path())).collect();
    let made: usize = std::thread::scope(|scope| {
        let create = |catalog: &'_ Catalog| match catalog.create("bank") {
            Ok(_) => 1,
            // Made by another one, which has it open.
            Err(DatabaseError::AlreadyExists { .. }) => 0,
            Err(error) => panic!("{error}"),
        };
        let threads: Vec<_> = catalogs.iter().map(|catalog| scope.spawn(move || create(catalog))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(made, 1);
    assert!(catalogs.iter().all(|catalog| catalog.list().unwrap() == ["bank"]));
}
