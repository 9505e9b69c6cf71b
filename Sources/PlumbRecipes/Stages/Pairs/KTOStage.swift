import Foundation
import PlumbData
import PlumbEvaluation
import PlumbModels
import PlumbTensors
import PlumbTokenizers

/// Kahneman-Tversky optimization on answers with a verdict each.
///
/// Ethayarajh et al. 2024, arXiv 2402.01306, eq. 7 and 8.
struct KTOStage: Stage {
  let configuration: KTOConfiguration

  var inputs: [String] {
    [configuration.policy] + configuration.rows + configuration.validation
  }

  static var product: StageProduct { .model(.language) }

  var models: [ModelUse] { [ModelUse(configuration.policy, as: .policy)] }

  func plan(_ context: PlanContext) throws -> StagePlan {
    try pairTrainingPlan(
      context, what: "kto loss\(adapterNote(configuration.lora))", model: configuration.policy,
      train: configuration.rows, batch: configuration.batchRows, epochs: configuration.epochs,
      maxLength: configuration.maxLength, rowsPerRecord: 1)
  }

  func run(_ context: StageContext) throws -> StageResult {
    var (policy, encoder) = try loadPolicy(
      context, configuration.policy, longest: configuration.maxLength, adapter: configuration.lora)
    var train = try read(context, configuration.rows, encoder: encoder)
    var validation =
      configuration.validations == 0
      ? [] : try read(context, configuration.validation, encoder: encoder)
    guard !train.isEmpty else {
      throw RunError.nothingToTrain(
        stage: context.stage, files: configuration.rows, why: "no answer fits max_length")
    }
    tellBalance(train, context)
    let references = try ReferenceLogprobs(
      context, policy: (configuration.policy, policy), others: [], weights: [1], encoder: encoder,
      longest: configuration.maxLength,
      cache: try ReferenceCache(configuration.referenceCache, context: context))
    try fill(&train, references)
    try fill(&validation, references)

    let plan = BatchPlan(
      costs: train.map(\.tokenCount), size: .examples(configuration.batchRows), seed: context.seed)
    let steps = plan.steps(epochs: configuration.epochs)
    let mismatched = (1...steps).map { number in
      MismatchedRow.rows(
        of: plan.examples(ofStep: number).map { train[$0] }, longest: configuration.maxLength)
    }
    let batches = try filled(mismatched, references)
    let (rows, held) = (train, validation)
    let heldOut = try filled(
      [MismatchedRow.rows(of: validation, longest: configuration.maxLength)], references)[0]

    let loop = TrainingLoop(
      context: context, settings: configuration.optimizer, steps: steps,
      checkpointEvery: configuration.checkpointEvery,
      evaluateEvery: configuration.validations > 0
        ? max(1, (steps + configuration.validations - 1) / configuration.validations) : 0)
    let step = KTOStep(configuration)
    var watch = ChosenWatch(
      steps: steps, usesReference: true, earlier: try context.series("rewards/chosen").map(\.value))
    let best = try loop.run(
      &policy,
      validate: held.isEmpty
        ? nil : { step.evaluate(held, mismatched: heldOut, model: $0) }
    ) { number, model, gradients in
      let outcome = step.accumulate(
        plan.examples(ofStep: number).map { rows[$0] }, mismatched: batches[number - 1],
        model: model, gradients: &gradients)
      if let message = watch.add(outcome.statistics["rewards/chosen"] ?? .nan) {
        context.warn(message)
      }
      return outcome
    }
    try policy.write(to: context.directory, encoder: encoder)
    return try result(context, policy, train: train, validation: validation.count, best: best)
  }

  private func read(
    _ context: StageContext, _ files: [String], encoder: ConversationEncoder
  ) throws -> [VerdictRow] {
    let examples = ExampleEncoder(
      encoder, limits: try TokenLimits(context: configuration.maxLength, policy: .drop))
    var result: [VerdictRow] = []
    for file in files {
      let rows = context.usable(try DataFile.unpairedRows(context.artifact(file)))
      let (groups, report) = examples.groups(of: rows, form: .generated)
      note(context, file, report)
      result += groups.map {
        VerdictRow(
          prompt: $0.prompt, response: $0.responses[0], isDesirable: rows[$0.example].label)
      }
    }
    return result
  }

  private func fill(_ rows: inout [VerdictRow], _ references: ReferenceLogprobs) throws {
    for (index, sums) in try references.sums(of: rows.map(\.group)).enumerated() {
      rows[index].reference = sums[0]
    }
  }

  /// The mismatched rows of every batch, with their reference log-probabilities; none where the
  /// baseline is 0.
  private func filled(
    _ batches: [[MismatchedRow]], _ references: ReferenceLogprobs
  ) throws -> [[MismatchedRow]] {
    guard configuration.baseline == .mismatched else { return batches.map { _ in [] } }
    let sums = try references.sums(of: batches.flatMap { $0.map(\.group) })
    var next = 0
    return batches.map { batch in
      batch.map { row in
        defer { next += 1 }
        return MismatchedRow(group: row.group, reference: sums[next][0])
      }
    }
  }

  /// Says where one kind of answers is missing or far outweighs the other.
  private func tellBalance(_ rows: [VerdictRow], _ context: StageContext) {
    let desirable = rows.count { $0.isDesirable }
    let undesirable = rows.count - desirable
    context.note("\(desirable) desirable and \(undesirable) undesirable answers")
    guard desirable > 0, undesirable > 0 else {
      context.warn(
        "all \(rows.count) answers are \(desirable > 0 ? "" : "un")desirable: nothing shows the policy "
          + "what to \(desirable > 0 ? "avoid" : "aim at")")
      return
    }
    // Eq. 8 of the paper and the range that it advises.
    let ratio =
      configuration.desirableWeight * Double(desirable)
      / (configuration.undesirableWeight * Double(undesirable))
    guard !(0.99...1.34).contains(ratio), desirable != undesirable else { return }
    let advice = configuration.undesirableWeight * Double(undesirable) / Double(desirable)
    context.warn(
      "desirable answers weigh \(rounded(ratio)) times the undesirable ones; the paper advises 1 to "
        + "1.33, that is desirable_weight \(rounded(advice)) to \(rounded(advice * 4 / 3))")
  }

  private func rounded(_ value: Double) -> String { "\((value * 100).rounded() / 100)" }

  private func result(
    _ context: StageContext, _ policy: CausalLM, train: [VerdictRow], validation: Int,
    best: (loss: Double, step: Int)?
  ) throws -> StageResult {
    var result = try policyResult(
      context, policy, responses: configuration.batchRows,
      metrics: [
        ("loss", "loss", ""), ("rewards/margins", "margin", ""),
        ("rewards/chosen", "reward of the desirable", ""),
        ("kl", "baseline (nats/response)", "nats/response"),
      ])
    result.figures.append(
      Figure("train_rows", Double(train.count), unit: "rows", sampleSize: train.count))
    return try result.addingBest(best, of: validation, unit: "", context)
  }
}

extension StageResult {
  /// The kept step with its loss and its accuracy on held-out rows.
  func addingBest(
    _ best: (loss: Double, step: Int)?, of validation: Int, unit: String, _ context: StageContext
  ) throws -> StageResult {
    guard let best else { return self }
    var result = self
    result.figures += [
      Figure("best_step", Double(best.step), unit: "steps", sampleSize: validation),
      Figure("validation_loss", best.loss, unit: unit, sampleSize: validation),
    ]
    let found = try context.series("eval_rewards/accuracies").first { $0.step == best.step }
    if let accuracy = found?.value {
      result.figures.append(
        Figure(
          "validation_accuracy", accuracy,
          interval: Interval.wilson(successes: accuracy * Double(validation), trials: validation)
            .range, sampleSize: validation))
    }
    return result
  }
}
