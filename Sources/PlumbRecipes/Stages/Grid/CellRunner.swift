import Foundation

/// One named piece of work of a stage that does many, such as "0.5M, 4000 pairs, seed 2".
struct GridCell: Hashable, Sendable {
  /// Unique in the stage; also the name of the cell's folder, so letters, digits, `.`, `-` and `_`.
  let name: String
  /// How much work it is, in any unit that all cells share (optimizer steps, tokens).
  let units: Int

  init(_ name: String, units: Int) {
    precondition(units > 0, "GridCell: expected units > 0, found \(units)")
    self.name = name
    self.units = units
  }
}

/// Runs the cells of a stage one after the other; a killed stage goes on with the next cell.
///
/// ```swift
/// let records = try CellRunner<Losses>(context).run(cells) { index, cell in
///   let trained = try trainer.train(model, on: pairs[index], report: cell.step)
///   try trained.model.write(to: cell.folder)       // only if a later stage wants the weights
///   return Losses(test: …)
/// }
/// ```
/// What a cell found is a `Codable` record. After each cell all records, and the folders `cells/NAME`
/// that cells have written, go into a checkpoint, there in full or not at all. An interrupt inside a
/// cell loses that cell only. A cell may depend on its index and the seed, never on what ran before
/// it in this process, so that a continued stage ends in the same bytes as one left alone.
struct CellRunner<Record: Codable> {
  let context: StageContext
  /// Values for `metrics.jsonl` when a cell is done; its `loss` is shown.
  var metrics: (Record) -> [String: Double] = { _ in [:] }

  init(_ context: StageContext, metrics: @escaping (Record) -> [String: Double] = { _ in [:] }) {
    self.context = context
    self.metrics = metrics
  }

  /// - Parameter work: the index of the cell, and where it reports to and writes.
  /// - Returns: the records, in the order of the cells.
  func run(_ cells: [GridCell], work: (Int, CellContext) throws -> Record) throws -> [Record] {
    precondition(
      Set(cells.map(\.name)).count == cells.count, "CellRunner: expected different names of cells")
    let kept = KeptFolder.cells(of: context)
    var records: [Record] = []
    _ = try context.resume { checkpoint in
      records = try load(checkpoint, cells)
      try kept.restore(from: checkpoint)
    }
    let total = cells.reduce(0) { $0 + $1.units }
    var done = cells.prefix(records.count).reduce(0) { $0 + $1.units }
    for index in records.count..<cells.count {
      let cell = cells[index]
      do {
        try context.stopIfInterrupted()
        records.append(
          try work(
            index,
            CellContext(
              name: cell.name, folder: kept.url.appending(path: cell.name), stage: context,
              done: done, units: cell.units, total: total)))
      } catch is RunInterruption {
        throw RunInterruption(stage: context.stage, step: done, saved: done > 0)
      }
      done += cell.units
      let found = metrics(records[index])
      let finished = records
      let save = { (folder: URL) in
        try self.save(finished, cells, to: folder)
        try kept.save(into: folder)
      }
      try context.finishStep(
        done, of: total, metrics: found, loss: found["loss"], checkpointEvery: 1, save: save)
      // What the stage makes of its records may take long; the last cell must not be lost by it.
      if done == total { try context.checkpoint(done, save: save) }
    }
    return records
  }

  private struct Named: Codable {
    var name: String
    var record: Record
  }

  private static var fileName: String { "cells.json" }

  private func save(_ records: [Record], _ cells: [GridCell], to folder: URL) throws {
    try RunFiles.write(
      json: zip(cells, records).map { Named(name: $0.name, record: $1) },
      to: folder.appending(path: Self.fileName))
  }

  private func load(_ checkpoint: URL, _ cells: [GridCell]) throws -> [Record] {
    let url = checkpoint.appending(path: Self.fileName)
    let found = try RunFiles.read(json: [Named].self, from: url) ?? []
    let expected = cells.prefix(found.count).map(\.name)
    guard found.map(\.name) == expected else {
      throw RunError.damaged(
        path: url.relativePath,
        detail: "expected the cells \(expected), found \(found.map(\.name))")
    }
    return found.map(\.record)
  }
}

/// What one cell sees of its stage.
struct CellContext {
  /// The cell's name.
  let name: String
  /// `cells/NAME` in the stage's folder, for files that shall stay; made by who writes into it.
  let folder: URL
  /// The stage.
  let stage: StageContext
  fileprivate let done: Int
  fileprivate let units: Int
  fileprivate let total: Int

  fileprivate init(
    name: String, folder: URL, stage: StageContext, done: Int, units: Int, total: Int
  ) {
    self.name = name
    self.folder = folder
    self.stage = stage
    self.done = done
    self.units = units
    self.total = total
  }

  /// Shows how far the cell is, and stops it when the user asked for it.
  func step(_ step: Int, of count: Int, loss: Double?) throws {
    try stage.stopIfInterrupted()
    guard step < count else { return }
    let share = Double(step) / Double(max(1, count))
    stage.progress(done + Int(Double(units) * share), of: total, loss: loss)
  }
}
