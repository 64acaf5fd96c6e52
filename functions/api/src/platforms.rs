//! What can be connected, and what each connection needs.

use platform::Platform;
use serde_json::Value;

use crate::Api;
use crate::document::{Answer, Resource, collection, single};
use crate::error::{ApiError, ApiResult};
use crate::operation::Operation;
use crate::request::Asked;
use crate::shapes;

pub(crate) static OPERATIONS: &[Operation] = &[
    Operation::get("get_platforms", "/api/platforms", &["connections:read"])
        .gives_page::<shapes::PlatformDescription>("platform")
        .by(|call| Box::pin(async { Ok(call.api.list_platforms(call.asked)) })),
    Operation::get("get_platform", "/api/platforms/{id}", &["connections:read"])
        .gives_one::<shapes::PlatformDescription>(200, "platform")
        .by(|call| Box::pin(async { call.api.get_platform(call.asked, call.id) })),
    Operation::get("get_schemas", "/api/schemas", &["connections:read"])
        .gives_other::<shapes::Anything>(200)
        .by(|_| Box::pin(async { Ok(Answer::schema(contract::schemas())) })),
];

impl Api {
    /// `GET /api/platforms`.
    pub(crate) fn list_platforms(&self, asked: &Asked) -> Answer {
        let data = self.platforms.iter().map(|platform| resource(asked, *platform)).collect();
        Answer::ok(collection(asked, data, None, None))
    }

    /// `GET /api/platforms/{name}`.
    pub(crate) fn get_platform(&self, asked: &Asked, name: &str) -> ApiResult<Answer> {
        let platform = self.platform(name).ok_or_else(|| ApiError::not_found("platform", name))?;
        Ok(Answer::ok(single(asked, resource(asked, platform), None)))
    }

    pub(crate) fn platform(&self, name: &str) -> Option<&'static dyn Platform> {
        self.platforms.iter().copied().find(|platform| platform.name() == name)
    }
}

fn resource(asked: &Asked, platform: &dyn Platform) -> Value {
    let description = platform.description();
    Resource::new(asked, "platform", "platforms", platform.name())
        .attribute("title", description.title)
        .attribute("settings", description.settings)
        .attribute("secrets", description.secrets)
        .build()
}
