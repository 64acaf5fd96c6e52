//! What comes out of the queue.

use platform::{Delivery, Headers, Label, MessageError};

use crate::sheet::now;

/// A message that can be read can be written and read again; and any bytes can travel.
pub(crate) fn message(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    match Delivery::from_message(&text) {
        Ok(delivery) => {
            let label = Label::of(&text).expect("what is a delivery has a label");
            assert_eq!(label.delivery_id, delivery.delivery_id);
            travels(&delivery);
        }
        Err(MessageError::Claimed(_)) => drop(Delivery::from_claimed(&text, input)),
        Err(MessageError::Format(_) | MessageError::Body) => {}
    }
    travels(&Delivery {
        platform: "shopify".to_owned(),
        connection: "conn-1".to_owned(),
        topic: text.chars().take(100).collect(),
        delivery_id: "d-1".to_owned(),
        received_at: now(),
        headers: [("x-topic", text.chars().rev().take(100).collect::<String>())]
            .into_iter()
            .collect::<Headers>(),
        backfill: input.len() % 2 == 1,
        body: input.to_vec(),
    });
}

fn travels(delivery: &Delivery) {
    let Ok(parcel) = delivery.clone().to_parcel() else { return };
    let read = match parcel.claim {
        None => Delivery::from_message(&parcel.message),
        Some((_, parts)) => Delivery::from_claimed(&parcel.message, &parts.concat()),
    };
    let read = read.expect("what was written is read");
    assert!(read == *delivery, "{read:?} is not {delivery:?}");
}
