public import PlumbTensors

/// A question with a solution in steps and a number as the answer, in GSM8K's form.
///
/// Calculations are marked `<<3*4=12>>12`, and the last line is `#### 12` (Cobbe et al. 2021, arXiv
/// 2110.14168).
public struct WorkedSolution: Codable, Hashable, Sendable {
  /// What is made wrong.
  public enum Error: String, Codable, Hashable, Sendable, CaseIterable {
    /// One calculation has a wrong result, and everything after it is computed from that.
    case step = "wrong-step"
    /// The steps are right and the answer at the end is another number.
    case answer = "wrong-answer"
  }

  /// Unique in its file.
  public var id: String
  /// The question.
  public var question: String
  /// The solution as the file has it.
  public var raw: String

  /// A solution from its parts.
  public init(id: String, question: String, raw: String) {
    self.id = id
    self.question = question
    self.raw = raw
  }

  /// The solution to read: no marks, and the answer as the last sentence; nil without an answer.
  public var text: String? {
    SolutionParts(raw).map { $0.text }
  }

  /// The number that answers the question; nil where the last line is not `#### number`.
  public var finalNumber: Double? { SolutionParts(raw)?.final.value }

  /// The same solution made wrong, so that its answer is another number.
  ///
  /// Nil where no marked calculation leads to the answer, or the file's own arithmetic is wrong.
  public func wrong(_ error: Error, random: inout RandomStream) -> WorkedSolution? {
    guard var parts = SolutionParts(raw) else { return nil }
    switch error {
    case .answer:
      parts.final = parts.final.altered(&random)
    case .step:
      guard let changed = parts.withWrongStep(&random) else { return nil }
      parts = changed
    }
    return WorkedSolution(id: id, question: question, raw: parts.raw)
  }
}

/// A solution as its steps: text with marked calculations in between, then the answer.
struct SolutionParts {
  enum Part {
    case text(String)
    case calculation(expression: String, result: String)
  }

  var parts: [Part] = []
  var final: WrittenNumber
  /// `-` where the answer is negative.
  private var sign = ""

  init?(_ raw: String) {
    guard let mark = raw.firstRange(of: "####") else { return nil }
    var last = trimmed(String(raw[mark.upperBound...]))
    if last.first == "-" {
      sign = "-"
      last.removeFirst()
    }
    guard let number = WrittenNumber(last) else { return nil }
    final = number
    var rest = trimmed(String(raw[..<mark.lowerBound]))[...]
    while let open = rest.firstRange(of: "<<"),
      let close = rest[open.upperBound...].firstRange(of: ">>")
    {
      parts.append(.text(String(rest[..<open.lowerBound])))
      let inside = rest[open.upperBound..<close.lowerBound]
      rest = rest[close.upperBound...]
      guard let equals = inside.lastIndex(of: "=") else { return nil }
      parts.append(
        .calculation(
          expression: String(inside[..<equals]),
          result: String(inside[inside.index(after: equals)...])))
    }
    parts.append(.text(String(rest)))
  }

  /// The answer as it is written at the end.
  var answer: String { sign + final.text }

  var text: String {
    let steps = parts.map { if case .text(let text) = $0 { text } else { "" } }.joined()
    return steps + "\nThe answer is \(answer)."
  }

  var raw: String {
    let steps = parts.map { part in
      switch part {
      case .text(let text): text
      case .calculation(let expression, let result): "<<\(expression)=\(result)>>"
      }
    }
    return steps.joined() + "\n#### \(answer)"
  }

  /// A wrong result in one calculation, carried on; nil where none of them changes the answer.
  func withWrongStep(_ random: inout RandomStream) -> SolutionParts? {
    let calculations = parts.indices.filter {
      if case .calculation = parts[$0] { true } else { false }
    }
    var fallback: SolutionParts?
    for index in random.permutation(calculations.count) {
      for _ in 0..<6 {
        guard let found = carrying(errorAt: calculations[index], &random) else { continue }
        // A result of 4.333 people gives itself away, so whole numbers are preferred.
        if found.isWhole { return found.parts }
        fallback = fallback ?? found.parts
      }
    }
    return fallback
  }

  private func carrying(
    errorAt wrong: Int, _ random: inout RandomStream
  ) -> (parts: SolutionParts, isWhole: Bool)? {
    guard case .calculation(_, let text) = parts[wrong], let old = WrittenNumber(text) else {
      return nil
    }
    var changes = Changes()
    changes.set(old, to: old.altered(&random))
    var result = self
    for place in (wrong + 1)..<parts.count {
      switch parts[place] {
      case .text(let text): result.parts[place] = .text(changes.applied(to: text))
      case .calculation(let expression, let text):
        let changed = changes.applied(to: expression)
        guard let before = WrittenNumber(text) else { return nil }
        var after = before
        if changed != expression {
          guard let was = Arithmetic.value(of: expression), abs(was - before.value) < 0.01,
            let now = Arithmetic.value(of: changed), now > 0
          else { return nil }
          after = changes.written(now, like: before)
          changes.set(before, to: after)
        }
        result.parts[place] = .calculation(expression: changed, result: after.text)
      }
    }
    result.parts[wrong] = parts[wrong].with(result: changes.first)
    guard let end = changes[final], end.text != final.text else { return nil }
    result.final = WrittenNumber(
      value: end.value, decimals: max(final.decimals, end.decimals), hasCommas: final.hasCommas)
    return (result, changes.areWhole)
  }
}

extension SolutionParts.Part {
  fileprivate func with(result: String) -> SolutionParts.Part {
    if case .calculation(let expression, _) = self {
      return .calculation(expression: expression, result: result)
    }
    return self
  }
}

/// Which numbers of a solution have become which, by value.
private struct Changes {
  private var map: [Double: WrittenNumber] = [:]
  /// The wrong result that began it.
  private(set) var first = ""
  /// Whether what was whole is whole still.
  private(set) var areWhole = true

  mutating func set(_ old: WrittenNumber, to new: WrittenNumber) {
    if map.isEmpty { first = new.text }
    map[old.value] = new
    if old.decimals == 0, new.decimals > 0 { areWhole = false }
  }

  subscript(_ old: WrittenNumber) -> WrittenNumber? { map[old.value] }

  /// A computed value in the form of the number that it replaces, with at most two decimals.
  func written(_ value: Double, like old: WrittenNumber) -> WrittenNumber {
    let isWhole = abs(value - value.rounded()) < 1e-9
    let decimals = isWhole ? old.decimals : max(old.decimals, 2)
    let scale = decimals == 0 ? 1.0 : decimals == 1 ? 10.0 : 100.0
    return WrittenNumber(
      value: decimals > 2 ? value : (value * scale).rounded() / scale, decimals: decimals,
      hasCommas: old.hasCommas)
  }

  func applied(to text: String) -> String {
    NumberPieces(text).pieces.map { piece in
      guard let number = piece.number, let new = map[number.value] else { return piece.text }
      return WrittenNumber(
        value: new.value, decimals: new.decimals, hasCommas: number.hasCommas || new.hasCommas
      ).text
    }.joined()
  }
}
