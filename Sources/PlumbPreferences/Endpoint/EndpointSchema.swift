import Foundation
import PlumbCheckpoints
import PlumbTokenizers

/// The JSON that an endpoint is asked with and answers with; `Documentation/Judges.md` has it in full.
struct EndpointSchema {
  let endpoint: String
  let source: String

  /// `{"version": 1, "groups": [{"id", "prompt", "responses", "answer"?}, …]}`.
  func request(_ groups: [JudgeGroup]) -> String {
    let groups = groups.map { group in
      var fields = [
        JSONField(key: "id", value: .string(group.id)),
        JSONField(key: "prompt", value: .array(group.prompt.map(Self.json))),
        JSONField(key: "responses", value: .array(group.responses.map { .string($0) })),
      ]
      if let answer = group.answer {
        fields.append(JSONField(key: "answer", value: .string(answer)))
      }
      return JSONValue.object(fields)
    }
    return JSONValue.object([
      JSONField(key: "version", value: .integer(1)),
      JSONField(key: "groups", value: .array(groups)),
    ]).serialized()
  }

  private static func json(_ message: Message) -> JSONValue {
    .object([
      JSONField(key: "role", value: .string(message.role)),
      JSONField(key: "content", value: .string(message.content)),
    ])
  }

  /// One entry per group of an answer `{"groups": […]}`, not yet looked into.
  func entries(
    _ body: [UInt8], of groups: [JudgeGroup], prompts: String
  ) throws(JudgeEndpointError) -> [JSONValue] {
    func fault(_ expected: String, _ found: String) -> JudgeEndpointError {
      .invalidAnswer(endpoint: endpoint, prompts: prompts, expected: expected, found: found)
    }
    let json: JSONValue
    do {
      json = try JSONValue(parsing: Self.quotingNonFinite(body))
    } catch {
      throw fault("JSON", "\(Self.excerpt(body)) (\(error))")
    }
    guard let entries = json["groups"]?.array else {
      throw fault("an object with the list 'groups'", Self.excerpt(body))
    }
    guard entries.count == groups.count else {
      throw fault("a judgement on each of \(groups.count) groups", "\(entries.count)")
    }
    return entries
  }

  /// The judgement on one group.
  func judgement(
    _ entry: JSONValue, on group: JudgeGroup
  ) throws(JudgeEndpointError) -> Judgement {
    let count = group.responses.count
    if let reason = entry["error"]?.string {
      throw .declined(endpoint: endpoint, prompt: group.id, reason: Self.shortened(reason))
    }
    if let id = entry["id"]?.string, id != group.id {
      throw fault(group, "its judgement in the place of its group", "one of '\(id)'")
    }
    let scores = try entry["scores"].map { value throws(JudgeEndpointError) in
      try numbers(value, count: count, of: group, what: "scores")
    }
    let tables = [entry["preference_logits"], entry["probabilities"]]
    if let choice = entry["choice"] {
      guard scores == nil, tables.allSatisfy({ $0 == nil }) else {
        throw fault(group, "choice alone, or another judgement", "both")
      }
      guard let place = choice.integer, (0..<count).contains(place) else {
        throw fault(
          group, "the place of the best response, 0 to \(count - 1), as choice",
          Self.shortened(choice.serialized()))
      }
      return Judgement(scores: (0..<count).map { $0 == place ? 1 : 0 }, source: source)
    }
    if tables.allSatisfy({ $0 != nil }) {
      throw fault(group, "one of preference_logits and probabilities", "both")
    }
    if let value = tables[0] {
      let table = try square(value, count: count, of: group, what: "preference_logits")
      return Judgement(
        preferenceLogits: try antisymmetric(table, of: group), scores: scores, source: source)
    }
    if let value = tables[1] {
      let table = try square(value, count: count, of: group, what: "probabilities")
      let logits = try table.map { row throws(JudgeEndpointError) in
        try row.map { probability throws(JudgeEndpointError) in
          guard (0...1).contains(probability) else {
            throw fault(group, "probabilities from 0 to 1", "\(probability)")
          }
          let bounded = min(max(probability, Self.surest), 1 - Self.surest)
          return log(bounded / (1 - bounded))
        }
      }
      return Judgement(
        preferenceLogits: try antisymmetric(logits, of: group, probabilities: table),
        scores: scores, source: source)
    }
    guard let scores else {
      let keys = entry.object.map { "the keys \($0.map(\.key).joined(separator: ", "))" }
      throw fault(
        group, "scores, preference_logits, probabilities or choice", keys ?? entry.kindName)
    }
    return Judgement(scores: scores, source: source)
  }

  /// The nearest that a probability may come to 0 and 1, so that log-odds stay finite (13.8).
  private static let surest = 1e-6

  /// The greatest score and log-odds, so that what is made of them, a square at most, is finite in Float32.
  static let largest = 1e15

  private func numbers(
    _ value: JSONValue, count: Int, of group: JudgeGroup, what: String
  ) throws(JudgeEndpointError) -> [Double] {
    guard let list = value.array else { throw fault(group, "a list of \(what)", value.kindName) }
    guard list.count == count else {
      throw fault(group, "\(count) \(what), one for each response", "\(list.count)")
    }
    return try list.map { item throws(JudgeEndpointError) in
      guard let number = item.number, number.isFinite else {
        throw fault(group, "finite numbers in \(what)", Self.shortened(item.serialized()))
      }
      guard abs(number) <= Self.largest else {
        throw fault(group, "numbers from -1e15 to 1e15 in \(what)", "\(number)")
      }
      return number
    }
  }

  private func square(
    _ value: JSONValue, count: Int, of group: JudgeGroup, what: String
  ) throws(JudgeEndpointError) -> [[Double]] {
    guard let rows = value.array, rows.count == count else {
      throw fault(
        group, "\(what) of \(count) rows", value.array.map { "\($0.count) rows" } ?? value.kindName)
    }
    return try rows.map { row throws(JudgeEndpointError) in
      try numbers(row, count: count, of: group, what: what)
    }
  }

  /// Log-odds with exactly opposite halves; refuses those that are not opposite but for rounding.
  ///
  /// - Parameter probabilities: what the endpoint gave, where it gave these; the fault names its numbers.
  private func antisymmetric(
    _ table: [[Double]], of group: JudgeGroup, probabilities: [[Double]]? = nil
  ) throws(JudgeEndpointError) -> [[Double]] {
    for i in table.indices {
      for j in 0...i where abs(table[i][j] + table[j][i]) > 1e-3 * max(1, abs(table[i][j])) {
        if let given = probabilities {
          throw fault(
            group, "probabilities of (\(i), \(j)) and (\(j), \(i)) that add up to 1",
            "\(given[i][j]) and \(given[j][i])")
        }
        throw fault(
          group, "log-odds of (\(i), \(j)) and (\(j), \(i)) that are opposite",
          "\(table[i][j]) and \(table[j][i])")
      }
    }
    // Half the difference: the sum of both halves would count every preference twice.
    return table.indices.map { i in
      table.indices.map { j in (table[i][j] - table[j][i]) / 2 }
    }
  }

  private func fault(
    _ group: JudgeGroup, _ expected: String, _ found: String
  ) -> JudgeEndpointError {
    .invalidJudgement(endpoint: endpoint, prompt: group.id, expected: expected, found: found)
  }

  /// The same bytes with Python's `NaN` and `Infinity`, which JSON lacks, as texts, so that what is wrong is
  /// found where it stands and not with the answer as a whole.
  private static func quotingNonFinite(_ body: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(body.count)
    var isText = false
    var place = 0
    while place < body.count {
      let byte = body[place]
      let word = isText ? nil : nonFinite.first { body[place...].starts(with: $0) }
      if let word {
        result += [quote] + word + [quote]
        place += word.count
        continue
      }
      if isText, byte == UInt8(ascii: "\\"), place + 1 < body.count {
        result.append(byte)
        place += 1
      } else if byte == quote {
        isText.toggle()
      }
      result.append(body[place])
      place += 1
    }
    return result
  }

  private static let quote = UInt8(ascii: "\"")
  private static let nonFinite = ["NaN", "-Infinity", "Infinity"].map { Array($0.utf8) }

  /// The beginning of an answer, for a message.
  static func excerpt(_ body: [UInt8]) -> String {
    body.isEmpty ? "nothing" : "'\(shortened(String(decoding: body.prefix(400), as: UTF8.self)))'"
  }

  /// One line of at most 120 characters.
  static func shortened(_ text: String) -> String {
    let line = text.map { $0.isNewline ? " " : String($0) }.joined()
    return line.count <= 120 ? line : line.prefix(119) + "…"
  }
}
