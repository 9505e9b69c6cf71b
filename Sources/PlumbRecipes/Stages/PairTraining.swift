import Foundation
import PlumbCheckpoints
import PlumbData
import PlumbEvaluation
import PlumbModels
import PlumbObjectives
import PlumbPreferences
import PlumbTensors
import PlumbTokenizers

/// A preference pair as ids, with what reports slice by.
struct EncodedPair {
  let group: PreferenceGroup
  let source: String
  /// Margin, turns and style; nil for pairs that are only trained on.
  var facts: PairFacts?
  /// By how much the chosen one is better and how sure that is, where the row says so.
  var margin: Double?
  var probability: Double?

  /// The same pair with other ids, for example cut.
  func replacing(_ group: PreferenceGroup) -> EncodedPair {
    EncodedPair(
      group: group, source: source, facts: facts, margin: margin, probability: probability)
  }

  /// What the figures of a model go by.
  var scoredFacts: PairFacts {
    facts
      ?? PairFacts(
        prompt: group.prompt.isEmpty ? "\(group.responses)" : "\(group.prompt)", source: source)
  }
}

/// The training, validation and test pairs of a preference model, encoded and cut to length.
struct PairSets {
  let train: [EncodedPair]
  let validation: [EncodedPair]
  let test: [EncodedPair]

  init(train: [EncodedPair], validation: [EncodedPair], test: [EncodedPair]) {
    self.train = train
    self.validation = validation
    self.test = test
  }

  init(
    _ context: StageContext, train: [String], validation: [String], test: [String],
    encoder: ConversationEncoder, maxLength: Int
  ) throws {
    let examples = ExampleEncoder(encoder, limits: try TokenLimits(context: maxLength))
    func load(_ files: [String], withFacts: Bool) throws -> [EncodedPair] {
      var pairs: [EncodedPair] = []
      for file in files {
        let rows = context.usable(try DataFile.preferencePairs(context.artifact(file)))
        let (groups, report) = examples.groups(of: rows, form: .scored)
        note(context, file, report)
        pairs += groups.map {
          let row = rows[$0.example]
          return EncodedPair(
            group: PreferenceGroup($0), source: row.source,
            // Of the whole answers, however much of them the model reads.
            facts: withFacts ? PairFacts(row, encoder: encoder) : nil,
            margin: row.margin, probability: row.probability)
        }
      }
      return pairs
    }
    self.train = try load(train, withFacts: false)
    guard !self.train.isEmpty else {
      throw RunError.nothingToTrain(
        stage: context.stage, files: train, why: "no pair differs within max_length")
    }
    self.validation = try load(validation, withFacts: true)
    self.test = try load(test, withFacts: true)
  }

  /// The same without some sources of rows in what is trained and validated on; the test stays whole, so
  /// that it shows what a model says of pairs that it was not made for.
  func leavingOut(_ sources: [String], _ context: StageContext) throws -> PairSets {
    if sources.isEmpty { return self }
    let known = Set((train + validation).map(\.source))
    if let unknown = sources.first(where: { !known.contains($0) }) {
      context.warn(
        "except_sources: no row has the source '\(unknown)'; there are \(known.sorted().joined(separator: ", "))"
      )
    }
    let left = PairSets(
      train: train.filter { !sources.contains($0.source) },
      validation: validation.filter { !sources.contains($0.source) }, test: test)
    guard !left.train.isEmpty else {
      throw RunError.nothingToTrain(
        stage: context.stage, files: [], why: "every row is of a source that except_sources names")
    }
    context.note(
      "except_sources leaves \(left.train.count) training and \(left.validation.count) validation pairs"
    )
    return left
  }
}

/// One optimizer step over pairs: the gradient is that of the mean over the batch, however it is cut
/// into micro-batches.
///
/// - Parameter objective: accumulates the gradient of some groups of a batch of `batchCount`.
func pairStep(
  _ batch: [EncodedPair], microBatchTokens: Int,
  objective: (_ groups: [PreferenceGroup], _ batchCount: Int) throws -> Objective
) throws -> StepOutcome {
  try pairRowStep(batch, microBatchTokens: microBatchTokens) { pairs, count in
    try objective(pairs.map(\.group), count)
  }
}

/// The same for objectives that read more of a row than its ids, such as margins.
func pairRowStep(
  _ batch: [EncodedPair], microBatchTokens: Int,
  objective: (_ pairs: [EncodedPair], _ batchCount: Int) throws -> Objective
) throws -> StepOutcome {
  var mean = StatisticsMean()
  var tokens = 0
  let runs = BatchPlan.filled(
    Array(batch.indices), costs: batch.map(\.group.tokenCount), budget: microBatchTokens)
  for run in runs {
    let pairs = run.map { batch[$0] }
    mean.add(try objective(pairs, batch.count))
    tokens += pairs.reduce(0) { $0 + $1.group.tokenCount }
  }
  var statistics = mean.means
  statistics["loss"] = statistics["loss"] ?? statistics["nll"]
  return StepOutcome(statistics: statistics, tokens: tokens)
}

/// What a preference stage reports: sizes, the kept validation loss, and the test metrics overall and
/// by source.
func preferenceResult(
  _ context: StageContext, _ model: PreferenceModel, pairs: PairSets,
  best: (loss: Double, step: Int)?, steps: Int
) throws -> StageResult {
  var figures = [
    Figure("train_pairs", Double(pairs.train.count), unit: "pairs", sampleSize: pairs.train.count),
    Figure("steps", Double(steps), unit: "steps", sampleSize: steps),
  ]
  if let best {
    figures.append(
      Figure("validation_nll", best.loss, unit: "nats", sampleSize: pairs.validation.count))
  }
  var sections = try trainingSection(
    context, metric: "loss", label: "loss (nats/pair)")
  if !pairs.test.isEmpty {
    let found = try MeasuredPreferences(
      model, pairs: pairs.test, validation: pairs.validation, seed: context.seed)
    figures += found.figures
    sections.append(found.section(title: "\(context.stage): held-out pairs"))
  }
  return StageResult(figures: figures, sections: sections)
}

/// Pairs, steps and a rough time, for `--dry-run`.
///
/// The time assumes 6 FLOP per parameter and token, half of the records' characters as tokens of
/// four characters, and 100 GFLOP/s.
func pairTrainingPlan(
  _ context: PlanContext, what: String, model: String, train: [String], batch: Int,
  epochs: Double, maxLength: Int, rowsPerRecord: Int = 2
) throws -> StagePlan {
  var rows = 0
  for file in train {
    let url = try context.artifact(file)
    if FileManager.default.fileExists(atPath: url.path) {
      rows += try lineCount(url)
    } else if let size = context.plan(of: file)?.sizes[url.lastPathComponent] {
      rows += size
    }
  }
  let steps = max(1, Int((Double(rows) * epochs / Double(batch)).rounded(.up)))
  let tokens = Int(Double(rows * rowsPerRecord) * epochs * Double(maxLength) * 0.4)
  let parameters = try parameterCount(context, model: model)
  return StagePlan(
    "\(what) on \(rows) rows, \(steps) steps of \(batch)",
    sizes: ["rows": rows, "steps": steps, "parameters": parameters, "tokens": tokens],
    seconds: Double(tokens) * Double(parameters) * 6 / 100e9)
}

/// The number of weights of a model folder, or of the model that an earlier stage will write.
func parameterCount(_ context: PlanContext, model: String) throws -> Int {
  if let planned = context.plan(of: model)?.sizes["parameters"] { return planned }
  let url = try context.artifact(model)
  let folder = try ModelFolder(AdapterFolder.isAdapter(url) ? AdapterFolder(url).base : url)
  var layout = ParameterLayout()
  _ = Decoder(folder.configuration, declaringIn: &layout)
  return layout.count
}

/// The number of lines of a data file that are not blank.
private func lineCount(_ url: URL) throws -> Int {
  var reader = try LineReader(contentsOf: url)
  var count = 0
  while let line = try reader.next() { count += line.isBlank ? 0 : 1 }
  return count
}
