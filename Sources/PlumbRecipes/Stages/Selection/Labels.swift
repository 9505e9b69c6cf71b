import Foundation
import PlumbCheckpoints
import PlumbData
import PlumbEvaluation
import PlumbPreferences
import PlumbRollouts
import PlumbTokenizers

/// The pairs that a judge has labelled so far, as lines of a data file, and what came of the rest.
struct Labels {
  /// What has become of the groups.
  struct Count: Codable, Equatable {
    /// Prompts or pairs that were judged.
    var groups = 0
    /// Those of which the judge prefers no response to another.
    var ties = 0
    /// Pairs left out because a response is empty, or both are the same text.
    var unusable = 0
    /// Pairs left out because their margin is too small.
    var weak = 0
    /// Pairs whose order in mean preference is not that of their own comparison: a cycle runs through them.
    var contradicted = 0
    /// Pairs of a file that kept their order.
    var agreed = 0
    /// Pairs of a file that the judge decided.
    var decided = 0
  }

  private let configuration: LabelPairsConfiguration
  private let source: String
  /// One pair each, in the schema of preference files.
  private(set) var lines: [String] = []
  private(set) var count = Count()

  /// No labels yet.
  /// - Parameter source: what the rows name as their source.
  init(_ configuration: LabelPairsConfiguration, source: String) {
    self.configuration = configuration
    self.source = source
  }

  /// Labels judged responses; the metrics of the step.
  mutating func add(_ buffer: RolloutBuffer) -> [String: Double] {
    let before = (lines.count, count)
    var margins: [Double] = []
    for group in buffer.groups {
      guard let table = group.preferenceLogits, let means = group.opponentMeans() else { continue }
      count.groups += 1
      let scores = group.responses.compactMap { $0.score.map(Double.init) }
      var labelled: [(chosen: Int, rejected: Int, margin: Double)] = []
      switch configuration.pairing {
      case .bestWorst:
        guard let high = means.max(), let low = means.min(), high > low,
          let best = means.firstIndex(of: high), let worst = means.firstIndex(of: low)
        else { break }
        labelled = [(best, worst, high - low)]
        if table[best][worst] <= 0 { count.contradicted += 1 }
      case .all:
        for i in table.indices {
          for j in table.indices where table[i][j] > 0 { labelled.append((i, j, table[i][j])) }
        }
      }
      if labelled.isEmpty { count.ties += 1 }
      for (chosen, rejected, margin) in labelled {
        let pair = PreferencePair(
          id: configuration.pairing == .all ? "\(group.id)-\(chosen)-\(rejected)" : group.id,
          source: source, prompt: group.prompt, chosen: group.responses[chosen].text,
          rejected: group.responses[rejected].text, margin: margin,
          probability: 1 / (1 + exp(-table[chosen][rejected])))
        if write(
          pair, judge: group.judge ?? "", scores: scores.count == means.count ? scores : means,
          places: (chosen, rejected))
        {
          margins.append(margin)
        }
      }
    }
    return metrics(since: before, margins: margins)
  }

  /// Labels pairs again, the judgement of each with the chosen response first; the metrics of the step.
  mutating func add(_ pairs: [PreferencePair], _ judgements: [Judgement]) -> [String: Double] {
    let before = (lines.count, count)
    var margins: [Double] = []
    for (pair, judgement) in zip(pairs, judgements) where judgement.skipReason == nil {
      count.groups += 1
      let logOdds = judgement.preferenceLogits[0][1]
      guard logOdds != 0 else {
        count.ties += 1
        continue
      }
      count.decided += 1
      if logOdds > 0 { count.agreed += 1 }
      let (first, second) = logOdds > 0 ? (0, 1) : (1, 0)
      let texts = [pair.chosen, pair.rejected]
      let labelled = PreferencePair(
        id: pair.id, source: pair.source, prompt: pair.prompt, chosen: texts[first],
        rejected: texts[second], margin: abs(logOdds), group: pair.group,
        probability: 1 / (1 + exp(-abs(logOdds))))
      if write(
        labelled, judge: judgement.source, scores: judgement.scores ?? judgement.opponentMeans(),
        places: (first, second))
      {
        margins.append(abs(logOdds))
      }
    }
    return metrics(since: before, margins: margins)
  }

  private mutating func write(
    _ pair: PreferencePair, judge: String, scores: [Double], places: (Int, Int)
  ) -> Bool {
    let texts = [pair.chosen, pair.rejected].map {
      $0.trimmingCharacters(in: .whitespacesAndNewlines)
    }
    guard !texts[0].isEmpty, !texts[1].isEmpty, texts[0] != texts[1] else {
      count.unusable += 1
      return false
    }
    guard (pair.margin ?? 0) >= configuration.minMargin else {
      count.weak += 1
      return false
    }
    lines.append(
      pair.json(adding: [
        JSONField(key: "judge", value: .string(judge)),
        JSONField(key: "scores", value: .array(scores.map { .number($0) })),
        JSONField(key: "score_chosen", value: .number(scores[places.0])),
        JSONField(key: "score_rejected", value: .number(scores[places.1])),
      ]).serialized())
    return true
  }

  private func metrics(since before: (lines: Int, count: Count), margins: [Double]) -> [String:
    Double]
  {
    var metrics = [
      "label/pairs": Double(lines.count - before.lines),
      "label/ties": Double(count.ties - before.count.ties),
    ]
    if !margins.isEmpty {
      metrics["label/margin"] = margins.reduce(0, +) / Double(margins.count)
    }
    return metrics
  }
}

extension Labels {
  /// Writes lines and counts into the folder of a checkpoint.
  func save(to folder: URL) throws {
    try LineWriter.write(lines, to: folder.appending(path: "labels.jsonl.zst"))
    try AtomicFile.write(JSONEncoder().encode(count), to: folder.appending(path: "labels.json"))
  }

  /// Goes on from what `save` wrote.
  mutating func load(from folder: URL) throws {
    var reader = try LineReader(contentsOf: folder.appending(path: "labels.jsonl.zst"))
    lines = []
    while let line = try reader.next() { lines.append(String(decoding: line.bytes, as: UTF8.self)) }
    count = try JSONDecoder().decode(
      Count.self, from: Data(contentsOf: folder.appending(path: "labels.json")))
  }

  /// What was labelled, with intervals for shares.
  func figures(relabels: Bool) -> [Figure] {
    func share(_ name: String, _ part: Int, of whole: Int) -> Figure {
      let interval = whole > 0 ? Interval.wilson(successes: Double(part), trials: whole) : nil
      return Figure(
        name, Double(part) / Double(max(1, whole)), interval: interval.map { $0.lower...$0.upper },
        sampleSize: whole)
    }
    var figures = [
      Figure("pairs", Double(lines.count), unit: "pairs", sampleSize: count.groups),
      share("tied", count.ties, of: count.groups),
    ]
    if relabels {
      figures.append(share("agreement", count.agreed, of: count.decided))
    } else if configuration.pairing == .bestWorst {
      figures.append(share("contradicted", count.contradicted, of: count.groups - count.ties))
    }
    return figures
  }

  /// The counts for a person.
  func table(judge: String) -> TextTable {
    TextTable(
      title: "Labels by \(judge)", columns: ["", "count"],
      rows: [
        ["prompts or pairs judged", "\(count.groups)"],
        ["pairs written", "\(lines.count)"],
        ["all responses tied", "\(count.ties)"],
        ["left out: empty or equal texts", "\(count.unusable)"],
        ["left out: margin below min_margin", "\(count.weak)"],
        ["order of means against the own comparison", "\(count.contradicted)"],
        ["pairs of a file that keep their order", "\(count.agreed) of \(count.decided)"],
      ])
  }
}

extension RolloutBuffer {
  /// Tokens computed for all groups: prompts once and every response.
  var tokenCount: Int { groups.reduce(0) { $0 + $1.tokenCount } }
}
