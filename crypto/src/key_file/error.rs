//! What can go wrong with a key file, and what to do then.

use std::io;
use std::path::{Path, PathBuf};

/// Why no key file was made. Nothing was changed at the path.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Something has that name already.
    #[error(
        "{} already exists and is never overwritten; use it, or move it away first \
         (without it, its identity is lost)", path.display()
    )]
    AlreadyExists {
        /// The name.
        path: PathBuf,
    },
    /// An empty passphrase protects nothing.
    #[error("the passphrase is empty; give one, or ask for a key file without a passphrase")]
    EmptyPassphrase,
    /// The folder is missing and cannot be made.
    #[error("cannot make the folder {} for the key file: {source}; make it by hand: mkdir -m 700 {}",
        path.display(), quoted(path))]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error(
        "cannot write the key file {}: {source}; check that its folder is yours and has room",
        path.display()
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The key cannot be encrypted.
    #[error("cannot encrypt the key: {reason}; try again, or report this")]
    Encrypt {
        /// What the cipher library, or the system's source of randomness, said.
        reason: String,
    },
}

/// Why a key file was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Nothing has that name.
    #[error("there is no key file at {}; make one, or correct the path", path.display())]
    Missing {
        /// The name.
        path: PathBuf,
    },
    /// It is a folder, a pipe or a device.
    #[error("{} is not a file; give the path of the key file itself", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// Others than the owner have some permission on it.
    #[error(
        "the key file {} is open to other users (mode {mode:04o}); close it with: chmod 600 {}",
        path.display(), quoted(path)
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is too large to be a key.
    #[error("{} is larger than {bytes_max} bytes, so it is no key file; check the path", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The largest size that is read.
        bytes_max: usize,
    },
    /// The system does not let us read it.
    #[error("cannot read the key file {}: {source}; check that it is yours", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is damaged, or another kind of file.
    #[error(
        "{} is damaged or is not an Ed25519 key in PKCS#8 PEM form; restore it from a backup",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
    },
    /// It has neither an id above the key nor a public key in it, so damage could not be noticed.
    #[error(
        "the key in {} comes without its id, so damage to it could not be noticed; \
         load the file that forsooth made, or put a line above the key: Forsooth-Id: <64 hex digits>",
        path.display()
    )]
    NoId {
        /// The file.
        path: PathBuf,
    },
    /// It is encrypted and no passphrase was given.
    #[error("the key file {} is encrypted; give its passphrase", path.display())]
    PassphraseNeeded {
        /// The file.
        path: PathBuf,
    },
    /// A passphrase was given and it is not encrypted.
    #[error("the key file {} is not encrypted; leave the passphrase out", path.display())]
    PassphraseUnused {
        /// The file.
        path: PathBuf,
    },
    /// It does not decrypt to a key that fits its id.
    #[error(
        "the passphrase is wrong for the key file {}, or the file is damaged; \
         try the passphrase again, then a backup", path.display()
    )]
    WrongPassphrase {
        /// The file.
        path: PathBuf,
    },
    /// Its key derivation would take too much memory or time.
    #[error(
        "the key file {} asks for a passphrase derivation that is unknown or takes too much memory \
         or time; load the file that forsooth made", path.display()
    )]
    CostlyDerivation {
        /// The file.
        path: PathBuf,
    },
}

/// A path as a shell takes it, so that a command in a message can be pasted.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    match path.chars().all(is_plain) {
        true => path,
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_in_a_message_survives_the_shell() {
        assert_eq!(quoted(Path::new("/home/me/node.pem")), "/home/me/node.pem");
        assert_eq!(quoted(Path::new("/my keys/it's")), r"'/my keys/it'\''s'");
    }
}
