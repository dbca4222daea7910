//! Store calls block: from a convergence layer's tasks they run here, on the threads for such work. Every
//! call costs a change of threads twice, so what belongs together goes in one.

/// What `work` returns, once it has.
///
/// # Panics
/// If `work` panics.
pub(super) async fn offload<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("store calls do not panic")
}
