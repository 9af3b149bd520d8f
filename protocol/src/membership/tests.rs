//! Plain parts of membership, each by itself.
