//! Taking a lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes it, also after a panic of whoever held it: everything that we keep behind one is
/// changed in one go, so a panic spoils nothing.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
