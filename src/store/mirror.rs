//! Makes the rows of one database those of another of the same tables, by what differs alone.

use std::cmp::Ordering;

use rusqlite::types::Value;
use rusqlite::{Connection, Rows, Statement, params_from_iter};

/// A row, its key first.
type Row = Vec<Value>;

/// A table: its columns, those of its key first.
struct Table {
    name: String,
    columns: Vec<String>,
    /// How many of them are its key.
    keys: usize,
}

/// Makes the rows of `to` those of `from`. Foreign keys must not be looked at meanwhile, and both stand still: the caller holds a
/// transaction of `to`, and nothing else writes to `from`.
pub(super) fn mirror(from: &Connection, to: &Connection) -> rusqlite::Result<()> {
    let mut names = from.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    // Where the numbers of rows go on is written by the rows as well, and so comes last.
    let (counters, tables): (Vec<String>, Vec<String>) =
        names.into_iter().filter(|name| name == COUNTERS || !name.starts_with("sqlite_")).partition(|n| n == COUNTERS);
    tables.iter().chain(&counters).try_for_each(|name| Table::of(from, name)?.mirror(from, to))
}

/// The table in which the database counts the rows of others.
const COUNTERS: &str = "sqlite_sequence";

impl Table {
    fn of(connection: &Connection, name: &str) -> rusqlite::Result<Table> {
        let mut about = connection.prepare("SELECT name, pk FROM pragma_table_info(?1) ORDER BY pk = 0, pk, cid")?;
        let all = about.query_map([name], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let all: Vec<(String, i64)> = all.collect::<rusqlite::Result<_>>()?;
        let keys = all.iter().filter(|(_, place)| *place > 0).count();
        let columns = all.into_iter().map(|(name, _)| name).collect();
        // One without a key is the counters', whose first column is one.
        Ok(Table { name: name.to_owned(), columns, keys: keys.max(1) })
    }

    fn mirror(&self, from: &Connection, to: &Connection) -> rusqlite::Result<()> {
        let (mut wanted, mut there) = (self.rows(from)?, self.rows(to)?);
        let (mut wanted, mut there) = (wanted.query([])?, there.query([])?);
        let mut insert = to.prepare(&self.insert())?;
        let (mut one, mut other) = (self.next(&mut wanted)?, self.next(&mut there)?);
        if other.is_none() {
            // All of it is new: it is not held in memory.
            while let Some(row) = one {
                insert.execute(params_from_iter(row))?;
                one = self.next(&mut wanted)?;
            }
            return Ok(());
        }
        let (mut new, mut old): (Vec<Row>, Vec<Row>) = (Vec::new(), Vec::new());
        loop {
            let order = match (&one, &other) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(one), Some(other)) => self.order(one, other),
            };
            let is_same = order == Ordering::Equal && one == other;
            if order != Ordering::Greater {
                new.extend(one.take().filter(|_| !is_same));
                one = self.next(&mut wanted)?;
            }
            if order != Ordering::Less {
                old.extend(other.take().filter(|_| !is_same));
                other = self.next(&mut there)?;
            }
        }
        drop(there);
        // What is unique may have gone from one row to another.
        let mut delete = to.prepare(&self.delete())?;
        for row in old {
            delete.execute(params_from_iter(row.into_iter().take(self.keys)))?;
        }
        for row in new {
            insert.execute(params_from_iter(row))?;
        }
        Ok(())
    }

    fn rows<'c>(&self, connection: &'c Connection) -> rusqlite::Result<Statement<'c>> {
        let (columns, keys) = (self.columns.join(", "), self.key_columns().join(", "));
        connection.prepare(&format!("SELECT {columns} FROM {} ORDER BY {keys}", self.name))
    }

    fn next(&self, rows: &mut Rows<'_>) -> rusqlite::Result<Option<Row>> {
        let Some(row) = rows.next()? else { return Ok(None) };
        (0..self.columns.len()).map(|n| row.get(n)).collect::<rusqlite::Result<_>>().map(Some)
    }

    fn insert(&self) -> String {
        let places: Vec<String> = (1..=self.columns.len()).map(|n| format!("?{n}")).collect();
        format!("INSERT INTO {} ({}) VALUES ({})", self.name, self.columns.join(", "), places.join(", "))
    }

    fn delete(&self) -> String {
        let keys: Vec<String> = (1..).zip(self.key_columns()).map(|(n, key)| format!("{key} = ?{n}")).collect();
        format!("DELETE FROM {} WHERE {}", self.name, keys.join(" AND "))
    }

    fn key_columns(&self) -> &[String] {
        self.columns.get(..self.keys).unwrap_or_default()
    }

    /// In which order the database has two rows.
    fn order(&self, one: &Row, other: &Row) -> Ordering {
        let keys = one.iter().zip(other).take(self.keys);
        keys.map(|(one, other)| order(one, other)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// In which order the database has two values (<https://sqlite.org/datatype3.html#sort_order>). The keys of our tables are of
/// one type each.
fn order(one: &Value, other: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Null => 0,
        Value::Integer(_) | Value::Real(_) => 1,
        Value::Text(_) => 2,
        Value::Blob(_) => 3,
    };
    match (one, other) {
        (Value::Integer(one), Value::Integer(other)) => one.cmp(other),
        (Value::Real(one), Value::Real(other)) => one.total_cmp(other),
        (Value::Text(one), Value::Text(other)) => one.as_bytes().cmp(other.as_bytes()),
        (Value::Blob(one), Value::Blob(other)) => one.cmp(other),
        _ => rank(one).cmp(&rank(other)),
    }
}
