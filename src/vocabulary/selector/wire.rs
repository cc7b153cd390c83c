//! Selectors in files and messages: the flat form, read no further than the limits go.

use super::node::SelectorNode;
use super::tree::{Tree, Value};
use super::{MAX_NODES, Operand, Selector, SelectorError, SelectorTemplate};
use crate::vocabulary::limit::{LimitExceeded, LimitedThing};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

impl<V: Serialize + Value> Serialize for Tree<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.nodes().serialize(serializer)
    }
}

impl<'de, V: Deserialize<'de> + Value> Deserialize<'de> for Tree<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(NodesVisitor(PhantomData))
    }
}

struct NodesVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de> + Value> Visitor<'de> for NodesVisitor<V> {
    type Value = Tree<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the list of a selector's nodes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Tree<V>, A::Error> {
        let mut nodes: Vec<SelectorNode<V>> = Vec::new();
        while let Some(node) = sequence.next_element()? {
            nodes.push(node);
            // Not kept until the end of the list: it may be as long as whoever sends it likes.
            LimitExceeded::check(LimitedThing::SelectorNodes, nodes.len(), MAX_NODES).map_err(refused)?;
        }
        Tree::from_nodes(&nodes).map_err(refused)
    }
}

fn refused<E: de::Error>(error: impl Into<SelectorError>) -> E {
    E::custom(error.into())
}

impl Serialize for Selector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Selector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Tree::deserialize(deserializer).map(Self)
    }
}

impl Serialize for SelectorTemplate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SelectorTemplate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Tree::deserialize(deserializer).map(Self)
    }
}

/// The one key of a parameter's form.
const PARAMETER: &str = "parameter";

impl Serialize for Operand {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Parameter(name) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(PARAMETER, name)?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Operand {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OperandVisitor)
    }
}

struct OperandVisitor;

impl<'de> Visitor<'de> for OperandVisitor {
    type Value = Operand;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, or {\"parameter\": NAME}")
    }

    fn visit_str<E>(self, text: &str) -> Result<Operand, E> {
        Ok(text.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Operand, A::Error> {
        let (Some(key), name) = (map.next_key::<String>()?, map.next_value::<Arc<str>>()?) else {
            return Err(de::Error::missing_field(PARAMETER));
        };
        if key != PARAMETER {
            return Err(de::Error::unknown_field(&key, &[PARAMETER]));
        }
        match map.next_key::<String>()? {
            None => Ok(Operand::Parameter(name)),
            Some(key) => Err(de::Error::unknown_field(&key, &[])),
        }
    }
}
