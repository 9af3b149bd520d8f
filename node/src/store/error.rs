//! What can be wrong with a state file, and what to do about it.

use std::{
    io,
    path::{Path, PathBuf},
};

use redb::DatabaseError;

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the state file open.
    #[error("{} is in use by another process: stop it, or give this one its own data folder", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The folder or file cannot be made, read or written.
    #[error("cannot use {}: {source}{}", path.display(), advice(source))]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is damaged, or no state file at all.
    #[error(
        "{} is damaged ({detail}): restore it from a backup, or move it away and start with a new key, \
         since the generation in it protects the old one", path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The file with messages is damaged, or none.
    #[error(
        "{} is damaged ({detail}): move it away, and start again; what was kept there is lost to this node, its key and \
         its bans are not", path.display()
    )]
    DamagedMessages {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The file was written by a newer version.
    #[error(
        "{} was written by a newer forsooth (schema {found}, this one knows {known}): run that version, \
         or use another data folder", path.display()
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u64,
        /// The newest schema that this version knows.
        known: u64,
    },
    /// The folder belongs to another network.
    #[error(
        "{} belongs to another network than {wanted:?}, or to an earlier version of its manifest: use one \
         data folder for each", path.display()
    )]
    OtherNetwork {
        /// The file.
        path: PathBuf,
        /// The network that was to be joined.
        wanted: String,
    },
    /// The thread that writes the state ended early.
    #[error("the thread that writes the state has ended early; the log says why")]
    WriterLost,
}

impl StoreError {
    /// The same of the file with messages, where damage is less bad.
    pub(crate) fn of_messages(self) -> Self {
        if let Self::Corrupt { path, detail } = self {
            return Self::DamagedMessages { path, detail };
        }
        self
    }

    /// Says what redb's refusal to open a file means.
    pub(crate) fn open(path: &Path, error: DatabaseError) -> Self {
        if matches!(error, DatabaseError::DatabaseAlreadyOpen) {
            return Self::Busy { path: path.to_owned() };
        }
        Cause::from(redb::Error::from(error)).at(path)
    }
}

/// What went wrong, before it is known in which file.
#[derive(Debug)]
pub(crate) enum Cause {
    /// In the database.
    Database(Box<redb::Error>),
    /// In what we had put there.
    Content(String),
}

impl Cause {
    /// Names the file.
    pub(crate) fn at(self, path: &Path) -> StoreError {
        let path = path.to_owned();
        match self {
            Self::Content(detail) => StoreError::Corrupt { path, detail },
            Self::Database(error) if is_damage(&error) => {
                StoreError::Corrupt { path, detail: error.to_string() }
            }
            Self::Database(error) => {
                let source = if let redb::Error::Io(source) = *error {
                    source
                } else {
                    io::Error::other(*error)
                };
                StoreError::Io { path, source }
            }
        }
    }
}

/// What to do about what the system says, where it does not go without saying.
fn advice(source: &io::Error) -> &'static str {
    let kind = source.kind();
    if matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        "; make room there, or use a data folder (--data) on another disk"
    } else if kind == io::ErrorKind::FileTooLarge {
        "; raise the limit on the size of files (ulimit -f), or use a data folder (--data) on a disk that takes larger ones"
    } else if matches!(kind, io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) {
        "; see to it that this user may read and write there, or use another data folder (--data)"
    } else {
        ""
    }
}

/// Whether it is the file's content that is wrong, not the disk or the system.
fn is_damage(error: &redb::Error) -> bool {
    if let redb::Error::Io(error) = error {
        // What is no redb file, or not all of one, comes as these.
        return matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof);
    }
    matches!(
        error,
        redb::Error::Corrupted(_)
            | redb::Error::UpgradeRequired(_)
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TypeDefinitionChanged { .. }
            | redb::Error::RepairAborted
    )
}

impl<E: Into<redb::Error>> From<E> for Cause {
    fn from(error: E) -> Self {
        Self::Database(Box::new(error.into()))
    }
}
