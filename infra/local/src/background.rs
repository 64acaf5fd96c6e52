//! What nobody waits for, on threads that give way to those that answer requests.
//!
//! In an account the functions behind the queues share no processor with the API; here they do, and a burst of deliveries
//! would keep requests waiting while it is worked off.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

/// How much less of a busy processor a thread gets, as `nice` counts: about a tenth of what another has.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// A runtime of its own, which ends with it.
pub(crate) struct Background {
    pub(crate) handle: Handle,
    runtime: Option<Runtime>,
}

impl Background {
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .thread_name("background")
            .enable_all()
            .on_thread_start(|| {
                // Of a thread alone on Linux, of the whole process elsewhere. Without it all goes on, only with longer answers.
                #[cfg(target_os = "linux")]
                let _ = rustix::process::nice(NICENESS);
            })
            .build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // In an asynchronous context nothing may be waited for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
