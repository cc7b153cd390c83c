//! Tests of deciding again after a conflict.

use super::*;

#[test]
fn decide_anew_until_no_other_was_faster() {
    on_both(|store| {
        let stream = random_stream(&store);
        let mut tries = 0;
        let receipt = retry_on_conflict(5, || {
            tries += 1;
            let last = stream.latest()?.map(|event| event.position());
            if tries < 4 {
                stream.publish(events(1))?;
            }
            Ok(stream.publish_if(events(1), position_is(last))?)
        })
        .unwrap();
        assert_eq!((tries, receipt.last_position()), (4, Some(Position::new(3))));
    });
}

#[test]
fn give_up_with_the_last_conflict() {
    on_both(|store| {
        let stream = random_stream(&store);
        let mut tries = 0;
        let outcome = retry_on_conflict(3, || {
            tries += 1;
            Ok(stream.publish_if(events(1), stream_exists())?)
        });
        assert!(outcome.unwrap_err().is_conflict());
        assert_eq!(tries, 3);
    });
}

#[test]
fn return_any_other_error_at_once() {
    on_both(|store| {
        let stream = random_stream(&store);
        let mut tries = 0;
        let outcome = retry_on_conflict(3, || {
            tries += 1;
            Ok(stream.publish([NewEvent::empty("n".repeat(5_000))])?)
        });
        assert!(matches!(outcome, Err(Error::Append(AppendError::Limit(_)))));
        assert_eq!(tries, 1);
    });
}

#[test]
fn run_once_with_no_tries_at_all() {
    let mut tries = 0;
    retry_on_conflict(0, || {
        tries += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!(tries, 1);
}
