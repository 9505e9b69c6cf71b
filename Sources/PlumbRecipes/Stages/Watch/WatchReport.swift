extension RolloutWatch {
  /// Alarms and samples for the report; nothing where there is neither.
  var sections: [ReportSection] {
    var blocks: [ReportBlock] = []
    if state.alarms.isEmpty {
      blocks.append(
        .paragraph(
          "No alarm in \(updates) updates; \(configuration.monitors.count) monitors watched."))
    } else {
      blocks.append(
        .table(
          TextTable(
            title: "Alarms", columns: ["update", "monitor", "value", "limit", "what to do"],
            rows: state.alarms.map {
              [
                "\($0.update)", $0.monitor, NumberText.short($0.value), NumberText.short($0.limit),
                $0.advice,
              ]
            })))
    }
    for table in [state.firstTable, state.lastTable].compactMap({ $0 }) {
      blocks.append(.table(table.textTable))
    }
    return [ReportSection("\(context.stage): watch", blocks)]
  }
}
