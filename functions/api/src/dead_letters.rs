//! What was set aside: how much there is, and the way back into its queue.

use serde_json::Value;

use crate::Api;
use crate::document::{Answer, Resource, collection, single};
use crate::error::{ApiError, ApiResult};
use crate::operation::{Operation, Tier};
use crate::ports::Queue;
use crate::request::Asked;
use crate::shapes;

const QUEUES: [(&str, Queue); 4] = [
    ("raw-deliveries", Queue::RawDeliveries),
    ("jobs", Queue::Jobs),
    ("polls", Queue::Polls),
    ("files", Queue::Files),
];

pub(crate) static OPERATIONS: &[Operation] = &[
    Operation::get("get_dead_letters", "/api/dead-letters", &["connections:read"])
        .gives_page::<shapes::DeadLetters>("dead-letter-queue")
        .by(|call| Box::pin(call.api.list_dead_letters(call.asked))),
    Operation::post("replay_dead_letters", "/api/dead-letters/{id}/replay", &["connections:write"])
        .limited(Tier::Medium)
        .gives_one::<shapes::DeadLetters>(202, "dead-letter-queue")
        .by(|call| Box::pin(call.api.replay_dead_letters(call.asked, call.id))),
];

impl Api {
    /// `GET /api/dead-letters`.
    pub(crate) async fn list_dead_letters(&self, asked: &Asked) -> ApiResult<Answer> {
        let mut data = Vec::new();
        for (name, queue) in QUEUES {
            data.push(resource(asked, name, self.dead_letters(queue).await?));
        }
        Ok(Answer::ok(collection(asked, data, None, None)))
    }

    /// `POST /api/dead-letters/{queue}/replay`: 202 once the queue has begun to move them. Whatever comes again
    /// changes nothing that it changed before.
    pub(crate) async fn replay_dead_letters(&self, asked: &Asked, name: &str) -> ApiResult<Answer> {
        let queue = QUEUES.iter().find(|(known, _)| *known == name);
        let queue = queue.ok_or_else(|| ApiError::not_found("dead-letter queue", name))?.1;
        let waiting = self.dead_letters(queue).await?;
        if waiting > 0 {
            self.outbox.replay(queue).await.map_err(ApiError::unavailable)?;
        }
        Ok(Answer::accepted(single(asked, resource(asked, name, waiting), None)))
    }

    async fn dead_letters(&self, queue: Queue) -> ApiResult<u64> {
        self.outbox.dead_letters(queue).await.map_err(ApiError::unavailable)
    }
}

fn resource(asked: &Asked, name: &str, messages: u64) -> Value {
    let mut resource = Resource::new(asked, "dead-letter-queue", "dead-letters", name)
        .attribute("name", name)
        .attribute("approximate_messages", messages)
        .build();
    // It has no address of its own.
    if let Some(resource) = resource.as_object_mut() {
        resource.remove("links");
    }
    resource
}
