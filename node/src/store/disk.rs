//! A database file that is opened anew after the disk has refused.
//!
//! After one failed write redb refuses everything until the file is opened again, so a disk that was full once would be full for ever.
//! Whoever writes next opens it; what was committed before is there. And where redb panics, since the file was damaged under it, that is
//! an error like any other, and the file is not used again before it was opened, and thereby checked, anew.

use std::{
    any::Any,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

use redb::{Database, Durability, ReadTransaction, ReadableDatabase as _, WriteTransaction};

use super::{StoreError, error::Cause};

/// How the database is opened.
type Open = Box<dyn Fn() -> Result<Database, StoreError> + Send + Sync>;

/// A database.
pub(crate) struct Disk {
    path: PathBuf,
    open: Open,
    /// None since the disk has refused.
    database: RwLock<Option<Database>>,
}

impl Disk {
    /// Opens it for the first time.
    pub(crate) fn new(
        path: PathBuf,
        open: impl Fn() -> Result<Database, StoreError> + Send + Sync + 'static,
    ) -> Result<Self, StoreError> {
        let disk = Self { path, open: Box::new(open), database: RwLock::new(None) };
        disk.reopen()?;
        Ok(disk)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// One durable transaction: on disk, synced, on return.
    pub(crate) fn change<T>(
        &self,
        body: impl FnOnce(&WriteTransaction) -> Result<T, Cause>,
    ) -> Result<T, StoreError> {
        self.reopen()?;
        let outcome = self.run(|database| {
            let mut transaction = database.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            let value = body(&transaction)?;
            transaction.commit()?;
            Ok(value)
        });
        if let Err(StoreError::Io { .. }) = &outcome {
            self.shut();
        }
        outcome
    }

    /// Reads.
    pub(crate) fn look<T>(
        &self,
        body: impl FnOnce(&ReadTransaction) -> Result<T, Cause>,
    ) -> Result<T, StoreError> {
        self.run(|database| body(&database.begin_read()?))
    }

    fn run<T>(&self, body: impl FnOnce(&Database) -> Result<T, Cause>) -> Result<T, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = &*database else {
            let refused = std::io::Error::other("the disk has refused; it will be tried again");
            return Err(StoreError::Io { path: self.path.clone(), source: refused });
        };
        // What the closure leaves half done is in the database, which is given up then.
        let outcome = catch_unwind(AssertUnwindSafe(|| body(open)));
        let outcome = outcome.map_err(|panic| {
            drop(database);
            self.shut();
            self.damage(&*panic)
        })?;
        outcome.map_err(|cause| cause.at(&self.path))
    }

    fn reopen(&self) -> Result<(), StoreError> {
        if self.database.read().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Ok(());
        }
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        let opened = catch_unwind(AssertUnwindSafe(|| (self.open)()));
        *database = Some(opened.map_err(|panic| self.damage(&*panic))??);
        Ok(())
    }

    /// Gives the database up until somebody writes.
    fn shut(&self) {
        let database = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        // What is damaged may panic again while it is closed.
        drop(catch_unwind(AssertUnwindSafe(|| drop(database))));
    }

    fn damage(&self, panic: &(dyn Any + Send)) -> StoreError {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref().copied()).unwrap_or("it says not why");
        let detail = format!("the database has given up: {text}");
        StoreError::Corrupt { path: self.path.clone(), detail }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A disk that can be full.
#[cfg(test)]
pub(crate) mod flaky {
    use std::{
        io,
        sync::{
            Arc, Mutex,
            atomic::{AtomicBool, Ordering},
        },
    };

    use redb::StorageBackend;

    /// What is on it survives that it is full.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct Flaky {
        bytes: Arc<Mutex<Vec<u8>>>,
        full: Arc<AtomicBool>,
    }

    impl Flaky {
        /// From now on it is full, or not.
        pub(crate) fn fill(&self, full: bool) {
            self.full.store(full, Ordering::SeqCst);
        }

        fn check(&self) -> io::Result<()> {
            if self.full.load(Ordering::SeqCst) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(())
        }
    }

    impl StorageBackend for Flaky {
        fn len(&self) -> io::Result<u64> {
            Ok(self.bytes.lock().unwrap().len() as u64)
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            let at = usize::try_from(offset).unwrap();
            out.copy_from_slice(&self.bytes.lock().unwrap()[at..at + out.len()]);
            Ok(())
        }

        fn set_len(&self, len: u64) -> io::Result<()> {
            self.check()?;
            self.bytes.lock().unwrap().resize(usize::try_from(len).unwrap(), 0);
            Ok(())
        }

        fn sync_data(&self) -> io::Result<()> {
            self.check()
        }

        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            self.check()?;
            let at = usize::try_from(offset).unwrap();
            self.bytes.lock().unwrap()[at..at + data.len()].copy_from_slice(data);
            Ok(())
        }
    }
}
