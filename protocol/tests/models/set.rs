//! Small sets of nodes.

/// A node of a model.
pub(crate) type NodeId = u8;

/// A set of up to eight nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Set(u8);

impl Set {
    /// The set of these.
    pub(crate) fn of(nodes: &[NodeId]) -> Self {
        nodes.iter().copied().collect()
    }

    /// Whether a node is in it.
    pub(crate) const fn has(self, node: NodeId) -> bool {
        self.0 & (1 << node) != 0
    }

    /// Takes a node in; whether it is new.
    pub(crate) const fn insert(&mut self, node: NodeId) -> bool {
        let is_new = !self.has(node);
        self.0 |= 1 << node;
        is_new
    }

    /// Takes a node out; whether it was there.
    pub(crate) const fn remove(&mut self, node: NodeId) -> bool {
        let was_there = self.has(node);
        self.0 &= !(1 << node);
        was_there
    }

    /// How many there are.
    pub(crate) const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether there are none.
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those in it, in order.
    pub(crate) fn iter(self) -> impl Iterator<Item = NodeId> {
        (0..8).filter(move |node| self.has(*node))
    }
}

impl FromIterator<NodeId> for Set {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> Self {
        nodes.into_iter().fold(Self::default(), |mut set, node| {
            set.insert(node);
            set
        })
    }
}
