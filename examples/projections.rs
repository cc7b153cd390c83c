//! Projections: a struct that folds by itself, upcasters for old payloads, and folding on from a saved state.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "an example shows and asserts")]

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use stratalog::{
    Applied, EventRef, EventStore, MissingHandler, NewEvent, Project, Projection, ProjectionError, Projector, Result,
    Upcasters,
};

/// Today's shape of `order-placed`, schema version 2.
#[derive(Debug, Serialize, Deserialize)]
struct Placed {
    customer: String,
    cents: i64,
    currency: String,
}

/// Its shape in version 1.
#[derive(Serialize, Deserialize)]
struct PlacedV1 {
    customer: String,
    cents: i64,
}

/// From each version to the next. Version 0, without a number, had a price in whole units, as text.
static UPCASTERS: LazyLock<Upcasters> = LazyLock::new(|| {
    Upcasters::new()
        .try_on("order-placed", 0, |old: Value| {
            let price: i64 = old["price"].as_str().unwrap_or_default().parse()?;
            Ok::<_, std::num::ParseIntError>(json!({"customer": old["customer"], "cents": price * 100}))
        })
        .on("order-placed", 1, |old: PlacedV1| Placed {
            customer: old.customer,
            cents: old.cents,
            currency: "EUR".into(),
        })
});

/// What customers spent: a state with its handlers in one place.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Spending {
    cents: BTreeMap<String, i64>,
    cancelled: u32,
    /// Derived at the end of each fold.
    best_customer: Option<String>,
}

impl Project for Spending {
    fn apply(&mut self, event: &EventRef<'_>) -> Result<Applied, ProjectionError> {
        match event.name() {
            "order-placed" => {
                let placed: Placed = UPCASTERS.decode(event)?;
                *self.cents.entry(placed.customer).or_default() += placed.cents;
                Ok(Applied::Yes)
            }
            "order-cancelled" => Applied::with(event, |_reason: Option<String>| self.cancelled += 1),
            _ => Ok(Applied::No),
        }
    }

    fn missing(&self) -> MissingHandler {
        MissingHandler::Ignore
    }

    fn finalise(&mut self) -> Result<(), ProjectionError> {
        self.best_customer = self.cents.iter().max_by_key(|(_, cents)| **cents).map(|(name, _)| name.clone());
        Ok(())
    }
}

fn placed(customer: &str, cents: i64) -> Result<NewEvent> {
    let placed = Placed { customer: customer.into(), cents, currency: "EUR".into() };
    Ok(NewEvent::new("order-placed", &placed)?.with_schema_version(2))
}

fn main() -> Result<()> {
    // In memory for now: with `EventStore::open(directory)?` everything below is the same on disk.
    let store = EventStore::in_memory();
    let orders = store.category("orders");
    let old = NewEvent::json("order-placed", &json!({"customer": "Ada", "price": "7"}))?;
    let newer = NewEvent::new("order-placed", &PlacedV1 { customer: "Grace".into(), cents: 250 })?;
    orders
        .publish([("o-1", vec![old]), ("o-2", vec![newer.with_schema_version(1), NewEvent::empty("order-packed")])])?;
    orders.stream("o-3").publish([placed("Grace", 300)?, NewEvent::empty("order-cancelled")])?;

    // The struct folds the whole category, three versions of the payload among it.
    let spending = Spending::default().project(&orders)?;
    println!("{:?}", spending.state());
    assert_eq!(spending.state().best_customer.as_deref(), Some("Ada"));
    assert_eq!((spending.state().cents["Ada"], spending.state().cents["Grace"]), (700, 550));

    // Saved as JSON, and folded on later from where it ended: the same as folding from the start.
    let saved = serde_json::to_string(&spending).unwrap();
    println!("{saved}");
    orders.stream("o-4").publish([placed("Grace", 1_000)?])?;
    let restored: Projection<Spending> = serde_json::from_str(&saved).unwrap();
    let rest = orders.scan().from(restored.next_sequence_number());
    let later = Spending::continue_from(restored, rest)?;
    assert_eq!(later, Spending::default().project(&orders)?);
    assert_eq!(later.state().best_customer.as_deref(), Some("Grace"));
    println!("now the best customer is {:?}", later.state().best_customer);

    // The same upcasters serve a projector of functions.
    let turnover = Projector::new()
        .on("order-placed", |cents: &mut i64, placed: Placed| *cents += placed.cents)
        .missing(MissingHandler::Ignore)
        .upcasters(UPCASTERS.clone());
    let total = turnover.project(0, &orders)?;
    println!("turnover: {} cents at sequence number {:?}", total.state(), total.sequence_number());
    assert_eq!(*total.state(), 2_250);

    // An upcaster that cannot read an old payload is an error that names the event.
    orders.stream("o-5").publish([NewEvent::json("order-placed", &json!({"price": "seven"}))?])?;
    let error = turnover.continue_from(total, &orders).unwrap_err();
    assert!(matches!(error, ProjectionError::Upcaster { schema_version: 0, .. }));
    println!("{error}");
    Ok(())
}
