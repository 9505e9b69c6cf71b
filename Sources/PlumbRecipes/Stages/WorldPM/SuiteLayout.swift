import PlumbData
import PlumbEvaluation

/// Which task, prompt and style each test of the suites belongs to: all that means and intervals need.
struct SuiteLayout {
  /// The tasks that have tests, in order.
  let tasks: [(suite: PreferenceSuite, name: String)]
  /// The task of each test.
  let taskOfRow: [Int]
  /// The prompt of each test, as a number: tests of one prompt resemble each other.
  let promptOfRow: [Int]
  /// Style of the chosen and of the rejected answer, for tests from a style grid.
  let stylesOfRow: [(chosen: Int, rejected: Int)?]

  /// The number of tests.
  var count: Int { taskOfRow.count }

  /// The rows of a suite.
  func rows(of suite: PreferenceSuite) -> [Int] {
    taskOfRow.indices.filter { tasks[taskOfRow[$0]].suite == suite }
  }

  /// The rows of a task.
  func rows(ofTask task: Int) -> [Int] { taskOfRow.indices.filter { taskOfRow[$0] == task } }

  /// The suites that have tests.
  var suites: [PreferenceSuite] {
    PreferenceSuite.allCases.filter { suite in tasks.contains { $0.suite == suite } }
  }

  /// Losses of some rows over sizes and runs, tasks as strata and prompts as groups.
  ///
  /// - Parameter values: [run][size][row] for all rows.
  func losses(_ rows: [Int], sizes: [Double], values: [[[Double]]]) -> ScalingLosses {
    var numbers: [Int: Int] = [:]
    let groups = rows.map { row in
      let number = numbers[promptOfRow[row]] ?? numbers.count
      numbers[promptOfRow[row]] = number
      return number
    }
    return ScalingLosses(
      sizes: sizes, values: values.map { $0.map { all in rows.map { all[$0] } } }, groups: groups,
      strata: rows.map { taskOfRow[$0] })
  }

  /// Whether rows can be resampled: at least two prompts.
  func hasSample(_ rows: [Int]) -> Bool { Set(rows.map { promptOfRow[$0] }).count >= 2 }
}
