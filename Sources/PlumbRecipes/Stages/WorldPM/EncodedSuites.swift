import Foundation
import PlumbData
import PlumbEvaluation
import PlumbPreferences
import PlumbTensors
import PlumbTokenizers

/// The tests of all suites as one preference model reads them.
struct EncodedSuites {
  /// Task, prompt and style of each test.
  let layout: SuiteLayout
  /// Style and prompt of each test, its task as the source.
  let facts: [PairFacts]
  /// Tests that were cut, and tests that were left out, by reason.
  let report: EncodingReport
  private let pairs: [PreferenceGroup]
  /// Each prompt with all answers that tests compare, and where each test finds its two.
  private let groups: [PreferenceGroup]
  private let places: [(group: Int, chosen: Int, rejected: Int)]

  init(_ tests: [SuitePair], encoder: ConversationEncoder, maxLength: Int) throws {
    let examples = ExampleEncoder(encoder, limits: try TokenLimits(context: maxLength))
    let (encoded, report) = examples.groups(of: tests.map(\.pair), form: .scored)
    var tasks: [(suite: PreferenceSuite, name: String)] = []
    var taskNumbers: [String: Int] = [:]
    var promptNumbers: [String: Int] = [:]
    var taskOfRow: [Int] = []
    var promptOfRow: [Int] = []
    var styles: [(chosen: Int, rejected: Int)?] = []
    for group in encoded {
      let test = tests[group.example]
      let task = taskNumbers[test.task] ?? tasks.count
      if task == tasks.count {
        taskNumbers[test.task] = task
        tasks.append((test.suite, test.task))
      }
      taskOfRow.append(task)
      let key = test.pair.promptKey
      let prompt = promptNumbers[key] ?? promptNumbers.count
      promptNumbers[key] = prompt
      promptOfRow.append(prompt)
      let parts = test.pair.id.split(separator: "/").suffix(2).compactMap { Int($0) }
      let isStyled = test.task.hasPrefix("style-") && parts.count == 2
      styles.append(isStyled ? (chosen: parts[0], rejected: parts[1]) : nil)
    }
    layout = SuiteLayout(
      tasks: tasks, taskOfRow: taskOfRow, promptOfRow: promptOfRow, stylesOfRow: styles)
    facts = encoded.map { group in
      let test = tests[group.example]
      return PairFacts(test.pair, encoder: encoder, source: test.task)
    }
    self.report = report
    pairs = encoded.map { PreferenceGroup($0) }
    (groups, places) = Self.shared(pairs)
  }

  /// Pairs with one prompt as one group of their different answers: nothing is computed twice.
  private static func shared(
    _ pairs: [PreferenceGroup]
  ) -> ([PreferenceGroup], [(group: Int, chosen: Int, rejected: Int)]) {
    var groups: [PreferenceGroup] = []
    var groupOfPrompt: [[Int32]: Int] = [:]
    var answerPlaces: [[[Int32]: Int]] = []
    let places = pairs.map { pair -> (group: Int, chosen: Int, rejected: Int) in
      // Long lists of answers would go over the tokens computed at once, so groups stay small.
      var group = groupOfPrompt[pair.prompt] ?? groups.count
      if group < groups.count, groups[group].responses.count >= 16 { group = groups.count }
      if group == groups.count {
        groupOfPrompt[pair.prompt] = group
        groups.append(PreferenceGroup(prompt: pair.prompt, responses: []))
        answerPlaces.append([:])
      }
      let sides = pair.responses.map { response in
        let place = answerPlaces[group][response] ?? groups[group].responses.count
        if place == groups[group].responses.count {
          answerPlaces[group][response] = place
          groups[group].responses.append(response)
        }
        return place
      }
      return (group, sides[0], sides[1])
    }
    return (groups, places)
  }

  /// Log-odds that the better answer of each test wins.
  func logOdds(_ model: PreferenceModel) throws -> [Double] {
    guard case .reward(let model) = model else { return try model.logOdds(pairs: pairs) }
    let scores = try model.rawScores(groups: groups, tokenBudget: 4096)
    return places.map {
      Double(scores[$0.group][$0.chosen]) - Double(scores[$0.group][$0.rejected])
    }
  }
}

/// `log(1 + e^−z)`: the loss of a pair with log-odds `z`, nats.
func pairLoss(_ logOdds: Double) -> Double { max(-logOdds, 0) + log1p(exp(-abs(logOdds))) }

/// 1 for the better answer, ½ for a tie.
func pairPoints(_ logOdds: Double) -> Double { logOdds > 0 ? 1 : logOdds == 0 ? 0.5 : 0 }
