//! The data folder: what is in it, and under which name.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// The folder with everything that a node keeps. It is the owner's alone (0700).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir(PathBuf);

/// What can go wrong with the data folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It cannot be made.
    #[error("cannot make the data folder {}: {source}; make it by hand, or choose another with --data", .path.display())]
    Create {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file in it cannot be written.
    #[error("cannot write {}: {source}; check that the data folder is yours and has room", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl DataDir {
    /// The folder at a path, there or not.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The node's key.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.0.join("key.pem")
    }

    /// The network's manifest, unless the configuration says otherwise.
    #[must_use]
    pub fn network(&self) -> PathBuf {
        self.0.join("network.toml")
    }

    /// The configuration file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.0.join("forsooth.toml")
    }

    /// Where the running node's HTTP interface is reached.
    #[must_use]
    pub fn http_address(&self) -> PathBuf {
        self.0.join("http.addr")
    }

    /// The token that lets one publish over HTTP.
    #[must_use]
    pub fn http_token(&self) -> PathBuf {
        self.0.join("http.token")
    }

    /// Makes the folder, for its owner alone. One that is there is left as it is.
    ///
    /// # Errors
    /// The system does not let us.
    pub fn create(&self) -> Result<(), FolderError> {
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        let failed = |source| FolderError::Create { path: self.0.clone(), source };
        builder.recursive(true).create(&self.0).map_err(failed)
    }

    /// Writes down where the HTTP interface is reached, for the other commands.
    ///
    /// # Errors
    /// The system does not let us.
    pub fn announce(&self, http: SocketAddr) -> Result<(), FolderError> {
        // Written aside and renamed, so that nobody reads half an address.
        let (path, aside) = (self.http_address(), self.0.join("http.addr.new"));
        let write = || {
            let mut file = File::create(&aside)?;
            writeln!(file, "{http}")?;
            file.sync_all()?;
            fs::rename(&aside, &path)
        };
        write().map_err(|source| FolderError::Write { path: path.clone(), source })
    }

    /// Takes back what [`Self::announce`] wrote. That it is gone already is no error.
    pub fn retract(&self) {
        if let Err(error) = fs::remove_file(self.http_address()) {
            tracing::debug!(%error, "cannot remove http.addr");
        }
    }

    /// Where the HTTP interface was reached when the node last started, if it did not end since.
    #[must_use]
    pub fn announced(&self) -> Option<SocketAddr> {
        fs::read_to_string(self.http_address()).ok()?.trim().parse().ok()
    }
}
