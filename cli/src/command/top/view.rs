//! The view of `hat top`: one table, on a terminal or in lines.

use hat_core::eventer::{EventType, Timestamp};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Row as Cells, Table};

use super::model::{Model, Row, Sort};
use crate::exit::shown;
use crate::output::payload;

/// The names of the columns, with their units.
const HEADER: [&str; 5] = ["EVENTS/S", "EVENTS", "AGE", "TYPE", "PAYLOAD"];

/// The whole picture.
pub(super) fn draw(frame: &mut Frame<'_>, model: &mut Model) {
    let [head, table, foot] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(1), Constraint::Length(1)])
            .areas(frame.area());
    frame.render_widget(Line::from(title(model)).bold(), head);
    // one line is the header's
    let most = usize::from(table.height).saturating_sub(1);
    let now = Timestamp::now();
    let rows: Vec<_> = model.rows(most).iter().map(|row| Cells::new(cells(row, now))).collect();
    let widths = [
        Constraint::Length(10),
        Constraint::Length(10),
        Constraint::Length(8),
        Constraint::Percentage(40),
        Constraint::Fill(1),
    ];
    let header = Cells::new(HEADER).style(Style::new().reversed());
    frame.render_widget(Table::new(rows, widths).header(header), table);
    let paused = if model.paused { "PAUSED  " } else { "" };
    let keys = format!("{paused}q quit  r rate  a age  n name  space pause  ↑↓ scroll");
    frame.render_widget(Line::from(keys).dim(), foot);
}

/// The same in lines.
pub(super) fn lines(model: &mut Model, most: usize) -> Vec<String> {
    let mut lines = vec![title(model), line(HEADER.map(str::to_owned))];
    let now = Timestamp::now();
    lines.extend(model.rows(most).iter().map(|row| line(cells(row, now))));
    lines
}

fn line([rate, count, age, name, payload]: [String; 5]) -> String {
    let line = format!("{rate:>10} {count:>10} {age:>8}  {name:<30}  {payload}");
    line.trim_end().to_owned()
}

fn title(model: &Model) -> String {
    let sort = match model.sort {
        Sort::Rate => "rate",
        Sort::Name => "name",
        Sort::Age => "age",
    };
    let more = if model.cut { " (and more)" } else { "" };
    format!(
        "{} {}  {:.1} events/s  {} types{more}  by {sort}",
        model.address,
        model.status,
        model.total.rate,
        model.count()
    )
}

fn cells((name, row): &(EventType, Row), now: Timestamp) -> [String; 5] {
    [
        format!("{:.2}", row.rate.rate),
        row.rate.count.to_string(),
        age(now, row.timestamp),
        shown(&name.to_string()),
        payload(row.payload.as_ref()),
    ]
}

/// By the server's clock and this machine's: where they differ, so does this.
fn age(now: Timestamp, then: Timestamp) -> String {
    let seconds = (now.as_secs_f64() - then.as_secs_f64()).max(0.0);
    match seconds {
        0.0..60.0 => format!("{seconds:.0} s"),
        60.0..3600.0 => format!("{:.0} min", (seconds / 60.0).floor()),
        3600.0..86_400.0 => format!("{:.0} h", (seconds / 3600.0).floor()),
        _ => format!("{:.0} d", (seconds / 86_400.0).floor()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hat_core::eventer::{Event, EventId, Json, Status};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    fn event(name: &str, session: i64) -> Event {
        Event {
            id: EventId::new(1, session, 1),
            event_type: name.parse().expect("any text is a type"),
            timestamp: Timestamp::now(),
            source_timestamp: None,
            payload: Some(Json::from_text(session.to_string()).expect("JSON").into()),
        }
    }

    fn screen(model: &mut Model) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(80, 6)).expect("a screen in memory");
        terminal.draw(|frame| draw(frame, model)).expect("drawn");
        let buffer = terminal.backend().buffer();
        let row = |y| (0..80).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..6).map(|y| row(y).trim_end().to_owned()).collect()
    }

    #[test]
    fn the_screen() {
        let mut model = Model::new("plant:23012".into(), Status::Operational);
        model.known(event("a/slow", 1));
        for session in 2..=5 {
            model.told(event("a/fast\u{1b}", session));
        }
        model.told(event("a/some", 6));
        model.tick(Duration::from_secs(2));
        let shown = screen(&mut model);
        assert_eq!(shown[0], "plant:23012 operational  2.5 events/s  3 types  by rate");
        assert!(shown[1].starts_with("EVENTS/S   EVENTS     AGE      TYPE"), "{shown:?}");
        assert!(shown[2].starts_with("2.00       4          0 s      a/fast\\u{1b}"), "{shown:?}");
        assert!(shown[2].ends_with('5') && shown[3].contains("a/some"), "{shown:?}");
        assert!(shown[4].starts_with("0.00       0          0 s      a/slow"), "{shown:?}");
        assert!(shown[5].starts_with("q quit"), "{shown:?}");

        model.sort = Sort::Name;
        model.scroll(1);
        assert!(screen(&mut model)[2].contains("a/slow"));
        model.paused = true;
        model.told(event("a", 7));
        assert!(screen(&mut model)[2].contains("a/slow"), "it stays as it was");
        assert!(screen(&mut model)[5].starts_with("PAUSED"));
        model.scroll(isize::MIN);
        model.scroll(isize::MAX);
    }

    #[test]
    fn rates_settle() {
        let mut model = Model::new("a:1".into(), Status::Operational);
        model.told(event("a", 1));
        model.tick(Duration::from_secs(1));
        assert_eq!(model.total.rate, 1.0);
        for _ in 0..20 {
            model.tick(Duration::from_secs(1));
        }
        assert_eq!((model.total.rate, model.total.count), (0.0, 1));
    }
}
