//! What people get when something is wrong: one code a reason, as problem details (RFC 9457) for our own
//! paths and in OpenAI's shape under `/v1`. Codes are stable; the command line makes exit codes of them.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bundle_spec::sealing::SealError;
use serde_json::json;

use super::node_ops::OperationError;
use crate::node::mailbox::{CallError, Stopped, StoreError, SubmitError, WishError};

/// Why a request came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The request makes no sense.
    BadRequest,
    /// A parameter that is not supported.
    UnsupportedParameter,
    /// The path does not take this method.
    MethodNotAllowed,
    /// Nothing of that name.
    NotFound,
    /// A short id that several things begin with.
    AmbiguousId,
    /// The request does not come from here.
    Forbidden,
    /// More bytes than are ever taken.
    TooLarge,
    /// The store is full.
    StoreFull,
    /// Too many of something.
    LimitReached,
    /// The job is accepted; its answer is not here.
    JobQueued,
    /// The job was answered with a failure.
    JobFailed,
    /// The job's lifetime ended.
    Expired,
    /// The job was taken back.
    Cancelled,
    /// Another reader has the bundle at this moment.
    Claimed,
    /// The job is over, so that nothing can be done with it.
    Over,
    /// The answer was delivered and is no longer kept here.
    Gone,
    /// It is sealed, and no key here opens it.
    Sealed,
    /// The public key of who is to read it is not known here.
    NoKey,
    /// The node cannot do this.
    Unavailable,
    /// The node stops.
    Stopping,
    /// The disk or the operating system said no.
    Internal,
}

impl Code {
    /// As it stands in answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::UnsupportedParameter => "unsupported_parameter",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::NotFound => "not_found",
            Self::AmbiguousId => "ambiguous_id",
            Self::Forbidden => "forbidden",
            Self::TooLarge => "too_large",
            Self::StoreFull => "store_full",
            Self::LimitReached => "limit_reached",
            Self::JobQueued => "job_queued",
            Self::JobFailed => "job_failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Claimed => "claimed",
            Self::Over => "over",
            Self::Gone => "gone",
            Self::Sealed => "sealed",
            Self::NoKey => "no_key",
            Self::Unavailable => "unavailable",
            Self::Stopping => "stopping",
            Self::Internal => "internal",
        }
    }

    /// As HTTP says it.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::BadRequest | Self::UnsupportedParameter => StatusCode::BAD_REQUEST,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::AmbiguousId | Self::Claimed | Self::Over | Self::Sealed | Self::NoKey => {
                StatusCode::CONFLICT
            }
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::StoreFull => StatusCode::INSUFFICIENT_STORAGE,
            Self::LimitReached => StatusCode::TOO_MANY_REQUESTS,
            Self::JobQueued => StatusCode::ACCEPTED,
            Self::JobFailed => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Expired | Self::Cancelled | Self::Gone => StatusCode::GONE,
            Self::Unavailable | Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The `type` of an OpenAI error.
    const fn openai_type(self) -> &'static str {
        match self {
            Self::BadRequest
            | Self::UnsupportedParameter
            | Self::MethodNotAllowed
            | Self::NotFound
            | Self::AmbiguousId
            | Self::Forbidden
            | Self::TooLarge
            | Self::Claimed
            | Self::Over
            | Self::Sealed
            | Self::NoKey => "invalid_request_error",
            Self::LimitReached => "rate_limit_error",
            Self::JobQueued => "queued",
            Self::StoreFull
            | Self::JobFailed
            | Self::Expired
            | Self::Cancelled
            | Self::Gone
            | Self::Unavailable
            | Self::Stopping
            | Self::Internal => "server_error",
        }
    }
}

/// A code with what people need to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Why.
    pub code: Code,
    /// In words.
    pub detail: String,
    /// What to do about it; empty if there is nothing to do.
    pub hint: String,
    /// Which parameter is meant.
    pub parameter: Option<String>,
    /// Which job is meant, by its full id.
    pub job: Option<String>,
}

impl Problem {
    /// A problem in words.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), hint: String::new(), parameter: None, job: None }
    }

    /// A request that makes no sense.
    pub fn bad(detail: impl Into<String>) -> Self {
        Self::new(Code::BadRequest, detail)
    }

    /// With what to do about it.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// With the parameter that is meant.
    #[must_use]
    pub fn parameter(self, parameter: impl Into<String>) -> Self {
        Self { parameter: Some(parameter.into()), ..self }
    }

    /// With the job that is meant.
    #[must_use]
    pub fn job(self, job: impl ToString) -> Self {
        Self { job: Some(job.to_string()), ..self }
    }

    /// The error object of OpenAI's API.
    #[must_use]
    pub fn openai_body(&self) -> serde_json::Value {
        json!({ "error": {
            "message": self.detail,
            "type": self.code.openai_type(),
            "param": self.parameter,
            "code": self.code.name(),
            "job_id": self.job,
        }})
    }

    fn respond(&self, media: &'static str, body: &serde_json::Value) -> Response {
        let mut response = (self.code.status(), body.to_string()).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
        if let (Code::JobQueued, Some(job)) = (self.code, &self.job) {
            let location = HeaderValue::from_str(&format!("/api/jobs/{job}")).expect("an id is plain ASCII");
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.code.status();
        let mut body = json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or("problem"),
            "status": status.as_u16(),
            "code": self.code.name(),
            "detail": self.detail,
        });
        for (key, value) in
            [("hint", Some(&self.hint)), ("parameter", self.parameter.as_ref()), ("job", self.job.as_ref())]
        {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                body[key] = json!(value);
            }
        }
        self.respond("application/problem+json", &body)
    }
}

/// A problem in the shape that OpenAI's clients read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenAiProblem(pub Problem);

impl From<Problem> for OpenAiProblem {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for OpenAiProblem {
    fn into_response(self) -> Response {
        self.0.respond("application/json", &self.0.openai_body())
    }
}

impl From<Stopped> for Problem {
    fn from(_: Stopped) -> Self {
        Self::new(Code::Stopping, "the node is stopping; what it accepted is kept").hint("pannier run")
    }
}

impl From<CallError> for Problem {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Stopped(stopped) => stopped.into(),
            CallError::Refused(refused) => refused.into(),
        }
    }
}

/// What to do about a full store.
const ROOM: &str = "raise `store.quota`, lower `store.keep-free`, or free space on the disk";

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        let detail = error.to_string();
        match error {
            SubmitError::StoreFull => Self::new(Code::StoreFull, detail).hint(ROOM),
            SubmitError::Limit(_) => Self::new(Code::LimitReached, detail),
            SubmitError::NotFound => Self::new(Code::NotFound, detail),
            SubmitError::Claimed => Self::new(Code::Claimed, detail),
            SubmitError::Over => Self::new(Code::Over, detail),
            SubmitError::Malformed(_) | SubmitError::Lifetime => Self::bad(detail),
        }
    }
}

impl From<WishError> for Problem {
    fn from(error: WishError) -> Self {
        let detail = error.to_string();
        match error {
            WishError::NoRole { .. } => Self::new(Code::NoKey, detail).hint(
                "get the line that `pannier key show --role NAME` prints where the role was made, and \
                 `pannier key add FILE`; or `--seal open`",
            ),
            WishError::NoNode(_) => Self::new(Code::NoKey, detail)
                .hint("get the line that `pannier key show` prints there, and `pannier key add FILE`"),
            WishError::NoOwn => Self::new(Code::NoKey, detail).hint("pannier init"),
            WishError::Lifetime(_) => {
                Self::bad(detail).hint("give a shorter `--lifetime`, or raise `sealing.keep`")
            }
            WishError::Seal(SealError::TooLong) => Self::new(Code::TooLarge, detail),
            WishError::Seal(SealError::NoRecipient | SealError::Recipients | SealError::WeakKey) => {
                Self::bad(detail).parameter("seal")
            }
        }
    }
}

impl From<SealError> for Problem {
    fn from(error: SealError) -> Self {
        WishError::Seal(error).into()
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let detail = error.to_string();
        match error {
            StoreError::Full { .. } => Self::new(Code::StoreFull, detail).hint(ROOM),
            StoreError::Mismatch { .. }
            | StoreError::Length { .. }
            | StoreError::InUse(_)
            | StoreError::Format(_)
            | StoreError::Failed(_)
            | StoreError::Io(_) => Self::new(Code::Internal, detail).hint("pannier doctor"),
        }
    }
}

impl From<OperationError> for Problem {
    fn from(error: OperationError) -> Self {
        let detail = error.to_string();
        match error {
            OperationError::Invalid(_) => Self::bad(detail),
            OperationError::NotFound(_) => Self::new(Code::NotFound, detail),
            OperationError::Expired(_) => Self::new(Code::Expired, detail),
            OperationError::StoreFull => Self::new(Code::StoreFull, detail).hint(ROOM),
            OperationError::Limit(_) => Self::new(Code::LimitReached, detail),
            OperationError::Unavailable(_) => Self::new(Code::Unavailable, detail),
            OperationError::Failed(_) => Self::new(Code::Internal, detail),
        }
    }
}
