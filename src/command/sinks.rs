//! Who follows a scan that runs in a terminal.

use std::sync::Arc;

use crate::cli::beside::Beside;
use crate::cli::ui::Ui;
use crate::export::jsonl;
use crate::export::table::{self, TableOptions};
use crate::model::{EventSink, ScanEvent};

/// The progress line, warnings, and each device above it as it is done.
pub struct Terminal<'u> {
    ui: &'u Ui,
    /// How devices are shown; none where they go to standard output as JSON lines.
    table: Option<TableOptions>,
}

impl<'u> Terminal<'u> {
    /// Shows events on this terminal, and devices as such a table's lines.
    pub fn new(ui: &'u Ui, table: Option<TableOptions>) -> Self {
        Terminal { ui, table }
    }
}

impl EventSink for Terminal<'_> {
    fn event(&mut self, event: &ScanEvent) {
        if let (ScanEvent::DeviceDone(device), Some(table)) = (event, &self.table) {
            self.ui.device(&table::device_lines(device, table));
        }
        self.ui.event(event);
    }
}

/// Devices to standard output, one line each as it is done. The scan does not wait for its reader.
pub struct JsonLines(pub Arc<Beside>);

impl EventSink for JsonLines {
    fn event(&mut self, event: &ScanEvent) {
        // Its reader may be gone; the scan goes on for the files' sake.
        if let ScanEvent::DeviceDone(device) = event
            && let Ok(line) = jsonl::device_line(device)
        {
            self.0.send(line.into_bytes());
        }
    }
}

/// The log: what -v shows besides warnings, which are shown in any case.
pub fn log(event: &ScanEvent) {
    match event {
        ScanEvent::SweepStarted { addresses } => tracing::info!(addresses, "scan started"),
        ScanEvent::HostUp { ip, method } => tracing::info!(%ip, method = method.as_str(), "answers"),
        ScanEvent::HostStarted { ip } => tracing::info!(%ip, "inspection started"),
        ScanEvent::HostDone { ip } => tracing::info!(%ip, "inspection ended"),
        ScanEvent::DeviceDone(device) => {
            let (vendor, model) = (device.vendor.as_deref(), device.model.as_deref());
            tracing::info!(ip = %device.ip, vendor, model, streams = device.streams.len(), "device found");
        }
        ScanEvent::Swept { .. } | ScanEvent::Warning(_) => {}
    }
}
