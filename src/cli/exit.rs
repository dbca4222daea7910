//! Exit codes: all of them. Stable; unknown codes are to be treated as failure.

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done.
    Done,
    /// Failed.
    Failed,
    /// The command line makes no sense.
    Usage,
    /// Accepted, but the answer is not here yet; nothing waits at an endpoint. No error for scripts.
    NotYet,
    /// Expired, refused, cancelled or answered with a failure.
    Over,
    /// Nothing of that name.
    NotFound,
    /// No node is running.
    NoNode,
    /// `pannier init` has not been run.
    NotInitialised,
    /// The store is in use or damaged.
    Store,
    /// The configuration makes no sense.
    Configuration,
    /// `pannier doctor` found a problem.
    Unhealthy,
    /// Interrupted from the keyboard.
    Interrupted,
}

impl Exit {
    /// Every code with what it means, for `pannier man` and the manual.
    pub const ALL: [(Self, &'static str); 12] = [
        (Self::Done, "done"),
        (Self::Failed, "failed"),
        (Self::Usage, "the command line makes no sense"),
        (Self::NotYet, "not here yet: the answer, or a bundle at an endpoint"),
        (Self::Over, "expired, refused, cancelled or answered with a failure"),
        (Self::NotFound, "not found"),
        (Self::NoNode, "no node is running"),
        (Self::NotInitialised, "not initialised"),
        (Self::Store, "the store is in use or damaged"),
        (Self::Configuration, "bad configuration"),
        (Self::Unhealthy, "doctor found a problem"),
        (Self::Interrupted, "interrupted"),
    ];

    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotYet => 3,
            Self::Over => 4,
            Self::NotFound => 5,
            Self::NoNode => 10,
            Self::NotInitialised => 11,
            Self::Store => 12,
            Self::Configuration => 13,
            Self::Unhealthy => 14,
            Self::Interrupted => 130,
        }
    }

    /// The name that `--json` gives to an error that has no better one.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::NotYet => "not_yet",
            Self::Over => "over",
            Self::NotFound => "not_found",
            Self::NoNode => "no_node",
            Self::NotInitialised => "not_initialised",
            Self::Store => "store",
            Self::Configuration => "bad_configuration",
            Self::Unhealthy => "unhealthy",
            Self::Interrupted => "interrupted",
        }
    }
}

/// The exit code for a code that the gateway gave.
#[must_use]
pub fn of_problem(code: &str) -> Exit {
    match code {
        "not_found" => Exit::NotFound,
        "ambiguous_id" => Exit::Usage,
        "job_queued" | "claimed" => Exit::NotYet,
        "job_failed" | "expired" | "cancelled" | "over" | "gone" | "store_full" | "limit_reached" => {
            Exit::Over
        }
        "stopping" => Exit::NoNode,
        _ => Exit::Failed,
    }
}
