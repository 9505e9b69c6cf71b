import Foundation
import PlumbCheckpoints
import PlumbData
import PlumbEvaluation
import PlumbPreferences
import PlumbRecipes
import PlumbTokenizers

/// The pairs of a file as a model reads them, with what is known about them and what was left out.
struct EvaluationPairs {
  let groups: [PreferenceGroup]
  let facts: [PairFacts]
  /// The member of a mixture that judges each pair's people, nil where that is not known; nil for a
  /// model that is no mixture.
  let members: [Int?]?
  /// Rows of the file.
  let rowCount: Int
  /// Rows that were left out, by reason.
  let dropped: [String: Int]

  /// Reads a file: texts where the model has a tokenizer, else token ids.
  ///
  /// - Parameters:
  ///   - file: a path, or `-` for standard input.
  ///   - limit: the most tokens of prompt and longer response together.
  init(_ file: String, for judging: JudgingModel, limit: Int) throws {
    var collected = Collected(judging: judging, limit: limit)
    if let encoder = judging.texts.encoder {
      let source = file == "-" ? RowReader.standardInput : URL(filePath: file)
      var options = ReadOptions()
      if let people = judging.people { options.groupField = people.groupField }
      let (pairs, report) = try DataFile.preferencePairs(source, options: options)
      for pair in pairs {
        let member = judging.people?.member(
          source: pair.source, annotator: pair.group, promptKey: pair.promptKey)
        collected.add(PreferenceGroup(pair, encoder: encoder), member: member) {
          PairFacts(pair, encoder: encoder)
        }
      }
      rowCount = report.rows
      dropped = collected.dropped.merging(report.dropped, uniquingKeysWith: +)
    } else {
      rowCount = try Self.readTokens(file, judging, into: &collected)
      dropped = collected.dropped
    }
    groups = collected.groups
    facts = collected.facts
    members = judging.people == nil ? nil : collected.members
    guard !groups.isEmpty else {
      let reasons = dropped.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
      throw DataError(
        .noUsableRows, file: file,
        collected.tooLong == rowCount ? "every pair is too long" : "no pair can be measured",
        expected: "at least one usable pair of up to \(limit) tokens",
        found: "none in \(rowCount) rows (\(reasons.joined(separator: ", ")))")
    }
  }

  /// Pairs of people whom a mixture does not know; nil for a model that is no mixture.
  var unknownPeople: Int? { members.map { $0.count { $0 == nil } } }

  /// Rows with what a model says of them.
  func scored(_ logOdds: [Double]) -> [ScoredPair] {
    zip(logOdds, facts).map { ScoredPair(logOdds: $0, facts: $1) }
  }

  /// Rows of token ids, each a prompt of its own; returns their number.
  private static func readTokens(
    _ file: String, _ judging: JudgingModel, into collected: inout Collected
  ) throws -> Int {
    let decoder = PreferenceRowDecoder(model: judging)
    var reader = try RowReader(file)
    var count = 0
    while let row = try reader.next() {
      count += 1
      let group = try decoder.tokens(row)
      guard group.responses.count == 2 else {
        throw row.unknownForm(expected: "\"chosen_tokens\" and \"rejected_tokens\"")
      }
      let source = row.json["source"]?.string ?? "tokens"
      let margin = row.json["margin"]?.number
      guard margin != 0 else {
        collected.drop("tie")
        continue
      }
      guard group.responses[0] != group.responses[1] else {
        collected.drop("identical responses")
        continue
      }
      // Where the prompt ends is not known, so only equal rows are known to share one.
      collected.add(group) {
        PairFacts(prompt: "\(group.responses)", source: source, margin: margin)
      }
    }
    if count == 0 { throw reader.emptiness }
    return count
  }

  /// What has been read so far.
  private struct Collected {
    let judging: JudgingModel
    let limit: Int
    var groups: [PreferenceGroup] = []
    var facts: [PairFacts] = []
    var members: [Int?] = []
    var dropped: [String: Int] = [:]
    /// Of these, pairs that do not fit.
    var tooLong = 0

    mutating func drop(_ reason: String) { dropped[reason, default: 0] += 1 }

    /// Takes a pair that fits; its facts are asked for only then.
    mutating func add(
      _ group: PreferenceGroup, member: Int? = nil, facts known: () -> PairFacts
    ) {
      guard judging.ensemble.longestSequence(of: group) <= limit else {
        tooLong += 1
        drop(
          group.prompt.count >= limit
            ? "prompt fills the context of \(limit) tokens" : "longer than \(limit) tokens")
        return
      }
      groups.append(group)
      facts.append(known())
      members.append(member)
    }
  }
}
