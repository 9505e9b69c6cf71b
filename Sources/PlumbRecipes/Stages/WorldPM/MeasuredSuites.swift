import Foundation
import PlumbData
import PlumbEvaluation
import PlumbTensors

/// What a preference model gets in every task and suite: accuracy and loss with intervals.
struct MeasuredSuites {
  struct Score {
    let name: String
    let rows: Int
    let accuracy: Double
    let accuracyInterval: Interval
    let nll: Double
    let nllInterval: Interval
  }

  let tasks: [(suite: PreferenceSuite, score: Score)]
  /// Means over a suite's tasks, each of which counts alike.
  let suites: [(suite: PreferenceSuite, score: Score)]
  /// [chosen style][rejected style], where there was a style grid.
  let styleTable: [[Double]]?
  /// What the tests are.
  let layout: SuiteLayout
  /// The loss of each test, nats, for what is compared test by test.
  let losses: [Double]

  init(_ tests: SuiteLayout, logOdds: [Double], seed: UInt64) {
    layout = tests
    let points = logOdds.map(pairPoints)
    let losses = logOdds.map(pairLoss)
    self.losses = losses
    func score(_ name: String, _ rows: [Int]) -> Score {
      // Prompts are drawn again, since tests of one prompt resemble each other.
      let groups = Dictionary(grouping: rows) { tests.promptOfRow[$0] }
        .sorted { $0.key < $1.key }.map(\.value)
      func mean(_ values: [Double], _ rows: [Int]) -> Double {
        var sums: [Int: (total: Double, count: Double)] = [:]
        for row in rows {
          let old = sums[tests.taskOfRow[row]] ?? (0, 0)
          sums[tests.taskOfRow[row]] = (old.total + values[row], old.count + 1)
        }
        // Sorted, so that rounding does not depend on the order of a dictionary.
        return sums.sorted { $0.key < $1.key }.reduce(0) { $0 + $1.value.total / $1.value.count }
          / Double(sums.count)
      }
      func interval(_ values: [Double]) -> Interval {
        .bootstrap(groups: groups, resamples: 300, seed: seed) { mean(values, $0) }
      }
      return Score(
        name: name, rows: rows.count, accuracy: mean(points, rows),
        accuracyInterval: interval(points), nll: mean(losses, rows), nllInterval: interval(losses))
    }
    tasks = tests.tasks.indices.map { task in
      (tests.tasks[task].suite, score(tests.tasks[task].name, tests.rows(ofTask: task)))
    }
    suites = tests.suites.map { ($0, score($0.rawValue, tests.rows(of: $0))) }

    var cells: [Int: [Int: (sum: Double, count: Double)]] = [:]
    for (row, styles) in tests.stylesOfRow.enumerated() {
      guard let styles else { continue }
      let old = cells[styles.chosen]?[styles.rejected] ?? (0, 0)
      cells[styles.chosen, default: [:]][styles.rejected] = (old.sum + points[row], old.count + 1)
    }
    let size = (cells.keys.max() ?? -1) + 1
    let table = (0..<size).map { i in
      (0..<size).map { j in cells[i]?[j].map { $0.sum / $0.count } ?? .nan }
    }
    styleTable = table.isEmpty ? nil : table
  }

  /// Figures of a model, such as `NAME/adversarial/accuracy` and `NAME/numbers-altered/nll`.
  func figures(_ name: String) -> [Figure] {
    (suites + tasks).flatMap { _, score in
      [
        Figure(
          "\(name)/\(score.name)/accuracy", score.accuracy,
          interval: score.accuracyInterval.range, sampleSize: score.rows),
        Figure(
          "\(name)/\(score.name)/nll", score.nll, interval: score.nllInterval.range, unit: "nats",
          sampleSize: score.rows),
      ]
    }
  }
}
