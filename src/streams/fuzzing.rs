//! What fuzz targets need of the answers of transmitters.

use super::batch::{Batch, Owed};
use super::configuration::{Configuration, Configurations, Wanted};
use super::settings::{DeliverySettings, ManagementSettings, StreamSettings};
use crate::discovery::TransmitterPlace;
use crate::ports::{Delivery, SetFault};

/// An answer with events: each is told of in the next request, as taken or as refused.
///
/// # Panics
/// If one of them is not.
pub fn events(bytes: &[u8]) {
    let Ok(batch) = serde_json::from_slice::<Batch>(bytes) else { return };
    let mut owed = Owed::default();
    for (jti, set) in &batch.sets {
        match set {
            Some(_) => owed.take(jti.clone()),
            None => owed.refuse(jti.clone(), SetFault::InvalidRequest, "no text".to_owned()),
        }
    }
    let request = owed.request(1, true);
    let taken = request["ack"].as_array().map_or(0, Vec::len);
    let refused = request["setErrs"].as_object().map_or(0, serde_json::Map::len);
    assert!(batch.sets.iter().all(|(jti, _)| owed.holds(jti)) && taken + refused <= batch.sets.len());
    assert_eq!(owed.is_empty(), batch.sets.is_empty());
}

/// The streams of an answer: what has to change of one is asked for, and the next time nothing has to.
///
/// # Panics
/// If what is wrong with a stream is shown at length.
pub fn streams(bytes: &[u8]) {
    let Ok(found) = serde_json::from_slice::<Configurations>(bytes) else { return };
    let management = ManagementSettings {
        authorization: None,
        create: true,
        events: vec!["urn:x".to_owned()],
        description: Some("ours".to_owned()),
        verify_every: None,
    };
    let issuer = "https://idp.example/".to_owned();
    let settings = StreamSettings {
        name: "fuzz".into(),
        place: TransmitterPlace { url: issuer.clone(), issuer, plain_http: false },
        audiences: vec!["https://pdp.example/".to_owned()],
        management: None,
        delivery: DeliverySettings::Poll { url: None, authorization: None, max_events: 1 },
    };
    let wanted = Wanted {
        settings: &settings,
        management: &management,
        delivery: Delivery::Poll,
        url: None,
        header: None,
    };
    for found in Vec::<Configuration>::from(found) {
        let shown = wanted.mismatch(&found).into_iter().chain(wanted.missing(&found));
        assert!(shown.map(|text| text.len()).sum::<usize>() < 8192, "a transmitter fills the log");
        let changes = wanted.changes(&found, None);
        assert!(changes.is_none_or(|changes| changes["stream_id"] == found.stream_id.as_str()));
    }
}
