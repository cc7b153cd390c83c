//! The example of logicblocks.event.store's own pages: a profile of two events, and the projector that merges them.

#[path = "../store/both.rs"]
mod both;

use super::*;
use both::on_both;
use serde_json::{Value, json};

#[test]
fn a_profile_is_merged_from_its_two_events() {
    on_both(|store| {
        let stream = store.stream("profiles", "joe.bloggs");
        let created = json!({"name": "Joe Bloggs", "email": "joe.bloggs@example.com"});
        stream.publish([NewEvent::json("profile-created", &created).unwrap()]).unwrap();
        stream.publish([NewEvent::json("date-of-birth-set", &json!({"dob": "1992-07-10"})).unwrap()]).unwrap();

        let projector = Projector::new()
            .on("profile-created", |profile: &mut Value, created: Value| {
                profile["name"] = created["name"].clone();
                profile["email"] = created["email"].clone();
            })
            .on("date-of-birth-set", |profile: &mut Value, set: Value| profile["dob"] = set["dob"].clone());
        let profile = projector.project(json!({}), stream.read().unwrap()).unwrap();

        let wanted = json!({"name": "Joe Bloggs", "email": "joe.bloggs@example.com", "dob": "1992-07-10"});
        assert_eq!(profile.state(), &wanted);
        assert_eq!(place(&profile), (Some(1), Some(1)));
        assert_eq!(projector.project(json!({}), &stream).unwrap(), profile);
    });
}
