//! Tables for programs.

use serde_json::{Value, json};

use super::{Outcome, Report, Row, Table};
use crate::figures::Figure;

pub(super) fn report(report: &Report) -> Value {
    let machine = &report.machine;
    json!({
        "machine": {"processor": machine.processor, "cores": machine.cores, "kernel": machine.kernel, "load": machine.load},
        "date": machine.date,
        "how": report.how,
        "tables": report.tables.iter().map(table).collect::<Vec<_>>(),
    })
}

fn table(table: &Table) -> Value {
    json!({
        "title": table.title,
        "about": table.about,
        "reference": table.reference,
        "by_cpu": table.by_cpu,
        "rows": table.rows.iter().map(|it| row(it, table)).collect::<Vec<_>>(),
    })
}

fn row(row: &Row, table: &Table) -> Value {
    let mut value = json!({"work": row.work, "contender": row.contender});
    match &row.outcome {
        Outcome::Missing(reason) => value["missing"] = json!(reason),
        Outcome::Measured { figures, ratio, targets } => {
            let named = table.columns.iter().zip(figures);
            let named = named.map(|(name, figure)| (name.clone(), self::figure(figure)));
            value["figures"] = Value::Object(named.collect());
            value["ratio"] = json!(ratio.as_ref().map(self::figure));
            let target = |it: &super::Target| json!({"target": it.text, "reached": it.reached, "met": it.met});
            value["targets"] = targets.iter().map(target).collect();
        }
    }
    value
}

fn figure(figure: &Figure) -> Value {
    json!({"least": figure.least, "median": figure.median, "most": figure.most})
}
