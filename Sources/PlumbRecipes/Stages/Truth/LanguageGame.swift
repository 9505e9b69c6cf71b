import Foundation
import PlumbData
import PlumbEvaluation
import PlumbPreferences
import PlumbTensors
import PlumbTokenizers

/// A preference game over texts: a cyclic judge decides by what anybody can read off an answer.
///
/// Answers fall into classes: the roles of the judge, and a last class without a role. Role i beats role
/// i + 1 around the circle, every role beats no role, and equals are even, all by the same log-odds. A
/// policy is as exploitable as its shares of the classes.
struct LanguageGame: Sendable {
  let suite: CyclicSuite
  /// Log-odds of every verdict.
  let strength: Double

  /// The suite of a name.
  /// - Throws: `ConfigurationProblem` for a name that is none of the cyclic benchmark's.
  init(suite name: String, strength: Double) throws {
    guard let suite = CyclicSuite.standard.first(where: { $0.name == name }) else {
      throw ConfigurationProblem(
        "suite", expected: CyclicSuite.standard.map(\.name).joined(separator: ", "), found: name)
    }
    self.suite = suite
    self.strength = strength
  }

  /// Names of the classes.
  var classes: [String] { suite.judge.cycle.map(\.rawValue) + ["none"] }

  /// The class of an answer.
  func number(of text: String) -> Int { suite.judge.role(of: text) ?? suite.judge.cycle.count }

  /// The game of the classes, in log-odds.
  var scores: MatrixGame {
    let none = suite.judge.cycle.count
    return MatrixGame(
      classes.indices.map { i in
        classes.indices.map { j in
          if i == j { return 0 }
          if j == none { return strength }
          if i == none { return -strength }
          return suite.judge.beats(i, j) ? strength : suite.judge.beats(j, i) ? -strength : 0
        }
      })
  }

  /// The judge of texts.
  var judge: FunctionJudge {
    let (game, table) = (self, scores.payoffs)
    return FunctionJudge(name: "cyclic") { _, first, second in
      table[game.number(of: first)][game.number(of: second)]
    }
  }

  /// Shares of the classes from their counts.
  static func shares(_ counts: [Int]) -> [Double] {
    let total = Double(max(1, counts.reduce(0, +)))
    return counts.map { Double($0) / total }
  }
}

/// Answers of all classes to generated prompts.
struct LanguageGameData {
  let game: LanguageGame
  /// Of the classes, in the order of the game.
  let shares: [Double]
  let seed: UInt64

  /// One prompt with an answer of every class.
  struct Row {
    let id: String
    let prompt: [Message]
    let answers: [String]
  }

  /// Prompts in random order, each with `sets` answers of every class, set after set.
  func rows(prompts: Int, sets: Int) throws -> [[Row]] {
    let generated = try CyclicGenerator(suite: game.suite, seed: seed)
      .prompts("train", count: prompts, sets: sets)
    let words = CyclicWords.part("train")
    return (0..<sets).map { set in
      (0..<prompts).map { number in
        let row = generated[set * prompts + number]
        var stream = RandomStream(seed: seed, purpose: "truth/plain", step: set, row: number)
        // Statements satisfy no criterion; the topic stands in the prompt, any other serves as well.
        let topic = words.topics[stream.uniform(below: words.topics.count)]
        let order = stream.permutation(words.statements.count)
        let plain = order.prefix(1 + stream.uniform(below: 2)).map {
          words.statements[$0].replacing("@", with: topic)
        }.joined(separator: " ")
        return Row(id: "\(number)", prompt: row.prompt, answers: row.responses + [plain])
      }
    }
  }

  /// A class at random.
  func draw(_ stream: inout RandomStream) -> Int {
    var place = Double(stream.uniform())
    for (number, share) in shares.enumerated() {
      if place < share { return number }
      place -= share
    }
    return shares.lastIndex { $0 > 0 } ?? 0
  }

  /// One answer to every row, its class by the shares.
  func demonstrations(_ sets: [[Row]]) -> [Demonstration] {
    sets.enumerated().flatMap { set, rows in
      rows.enumerated().map { number, row in
        var stream = RandomStream(seed: seed, purpose: "truth/shown", step: set, row: number)
        let answer = Message(role: "assistant", content: row.answers[draw(&stream)])
        return Demonstration(
          id: "\(row.id)-\(set)", source: game.suite.name, messages: row.prompt + [answer])
      }
    }
  }

  /// Two answers to every row with classes by the shares, as the judge labels them; even pairs are left out.
  func pairs(_ sets: [[Row]]) -> [PreferencePair] {
    let payoffs = game.scores.payoffs
    return sets.enumerated().flatMap { set, rows in
      rows.enumerated().compactMap { number, row -> PreferencePair? in
        var stream = RandomStream(seed: seed, purpose: "truth/compared", step: set, row: number)
        let (a, b) = (draw(&stream), draw(&stream))
        guard payoffs[a][b] != 0 else { return nil }
        let isWin = Double(stream.uniform()) < 1 / (1 + exp(-payoffs[a][b]))
        return PreferencePair(
          id: "\(row.id)-\(set)", source: game.suite.name, prompt: row.prompt,
          chosen: row.answers[isWin ? a : b], rejected: row.answers[isWin ? b : a])
      }
    }
  }
}
