import Foundation
import PlumbCheckpoints
import PlumbData
import PlumbModels
import PlumbRollouts
import PlumbTensors
import PlumbTokenizers

/// Settings of a language model's pretraining.
public struct PretrainConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "pretrain"

  /// The stage or folder with the tokenizer.
  public var tokenizer = ""
  /// A language model to go on from, with its sizes; empty for random weights in the sizes below.
  public var model = ""
  /// Files of text, conversations or forum threads.
  public var files: [String] = []
  /// Width of the residual stream.
  public var hiddenSize = 256
  /// Width of the feed-forward layers.
  public var intermediateSize = 704
  /// Number of layers.
  public var layers = 6
  /// Query heads.
  public var heads = 8
  /// Key and value heads.
  public var keyValueHeads = 4
  /// The longest sequence that the model will ever see, in tokens.
  public var contextLength = 512
  /// Documents are packed and cut into sequences of this many tokens.
  public var sequenceLength = 256
  /// Tokens in one optimizer step.
  public var batchTokens = 4096
  /// Optimizer steps.
  public var steps = 1000
  /// The share of sequences kept for validation.
  public var validationShare = 0.01
  /// Validations over the whole training.
  public var validations = 10
  /// Steps between checkpoints.
  public var checkpointEvery = 200
  /// Tokens that go through the model at once.
  public var microBatchTokens = 4096
  /// Texts to sample from the trained model, for the report.
  public var samples = 8
  /// The longest sample, in tokens.
  public var sampleTokens = 96
  /// The number format of the stored weights: `bfloat16` or `float32`.
  public var storedAs = WeightFormat.bfloat16
  /// The optimizer.
  public var optimizer = OptimizerConfiguration()

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("tokenizer", !tokenizer.isEmpty, "a stage or a folder", "nothing")
    try require("files", !files.isEmpty, "at least one file", "none")
    try require(
      "sequence_length", sequenceLength >= 16 && sequenceLength <= contextLength,
      "an integer from 16 to context_length", sequenceLength)
    try require(
      "batch_tokens", batchTokens >= sequenceLength, "at least sequence_length", batchTokens)
    try require("samples", (0...1000).contains(samples), "an integer from 0 to 1000", samples)
    try requireCount("sample_tokens", sampleTokens)
    for (name, value) in [
      ("steps", steps), ("context_length", contextLength), ("batch_tokens", batchTokens),
      ("micro_batch_tokens", microBatchTokens), ("layers", layers), ("heads", heads),
      ("key_value_heads", keyValueHeads), ("hidden_size", hiddenSize),
      ("intermediate_size", intermediateSize),
    ] { try requireCount(name, value) }
    try require(
      "validation_share", (0..<0.5).contains(validationShare), "a number from 0 to below 0.5",
      validationShare)
  }
}

/// How weights are stored.
public enum WeightFormat: String, Codable, Sendable, CaseIterable {
  case bfloat16
  case float32
}

/// Trains a Qwen2-shaped language model from random weights on packed documents.
struct PretrainStage: Stage {
  let configuration: PretrainConfiguration

  var inputs: [String] {
    [configuration.tokenizer, configuration.model] + configuration.files
  }

  static var product: StageProduct { .model(.language) }

  var models: [ModelUse] { [ModelUse(configuration.model, as: .policy)] }

  func plan(_ context: PlanContext) throws -> StagePlan {
    let parameters = try plannedParameters(context)
    let tokens = configuration.steps * configuration.batchTokens
    return StagePlan(
      "\(parameters) parameters, \(tokens) tokens in \(configuration.steps) steps",
      sizes: ["parameters": parameters, "tokens": tokens, "steps": configuration.steps],
      seconds: Double(tokens) * Double(parameters) * 6 / 100e9)
  }

  private func plannedParameters(_ context: PlanContext) throws -> Int {
    guard configuration.model.isEmpty else {
      return try parameterCount(context, model: configuration.model)
    }
    let vocabulary = context.plan(of: configuration.tokenizer)?.sizes["vocabulary"] ?? 4096
    var layout = ParameterLayout()
    _ = Decoder(
      try decoderConfiguration(vocabularySize: vocabulary, encoder: nil), declaringIn: &layout)
    return layout.count
  }

  func run(_ context: StageContext) throws -> StageResult {
    let encoder = try ConversationEncoder.load(from: context.artifact(configuration.tokenizer))
    var model = try initialModel(context, encoder: encoder)
    let groups = try documents(context, encoder: encoder)
    let held = Int(Double(groups.count) * configuration.validationShare)
    let validation = Array(groups.prefix(held))
    let data = PackedDataset(
      Array(groups.dropFirst(held)), size: .tokens(configuration.batchTokens), seed: context.seed)
    context.note(
      "\(model.parameters.layout.count) parameters; \(groups.reduce(0) { $0 + $1.tokenCount }) tokens, "
        + "\(data.batchCount(epoch: 0)) steps an epoch")
    let loop = TrainingLoop(
      context: context, settings: configuration.optimizer, steps: configuration.steps,
      checkpointEvery: configuration.checkpointEvery,
      evaluateEvery: max(1, configuration.steps / max(1, configuration.validations)))
    let best = try loop.run(
      &model,
      validate: validation.isEmpty
        ? nil
        : { ["loss": meanLoss($0, validation, tokenBudget: configuration.microBatchTokens)] }
    ) { step, model, gradients in
      crossEntropyStep(
        data.microBatches(
          at: data.position(ofStep: step - 1), tokenBudget: configuration.microBatchTokens),
        model: model, gradients: &gradients)
    }
    try model.write(
      to: context.directory, encoder: encoder,
      as: configuration.storedAs == .bfloat16 ? .bfloat16 : .float32)
    var figures = [
      Figure("parameters", Double(model.parameters.layout.count), sampleSize: 1),
      Figure(
        "train_tokens", Double(configuration.steps * configuration.batchTokens), unit: "tokens",
        sampleSize: configuration.steps),
    ]
    if let best {
      figures.append(
        Figure("validation_loss", best.loss, unit: "nats/token", sampleSize: validation.count))
    }
    var sections = try trainingSection(
      context, metric: "loss", label: "loss (nats/token)")
    let texts = try samples(model, encoder: encoder, seed: context.seed)
    if !texts.isEmpty { sections.append(ReportSection("Samples", [.samples(texts)])) }
    return StageResult(figures: figures, sections: sections)
  }

  private func initialModel(
    _ context: StageContext, encoder: ConversationEncoder
  ) throws -> CausalLM {
    guard !configuration.model.isEmpty else {
      return CausalLM(
        try decoderConfiguration(
          vocabularySize: encoder.tokenizer.vocabularySize, encoder: encoder), seed: context.seed)
    }
    let (model, ownEncoder) = try loadPolicy(
      context, configuration.model, longest: configuration.sequenceLength)
    try ownEncoder.requireSame(as: encoder)
    return model
  }

  /// Texts that begin where a document begins, as the report shows them.
  private func samples(
    _ model: CausalLM, encoder: ConversationEncoder, seed: UInt64
  ) throws -> [SampleRow] {
    guard configuration.samples > 0 else { return [] }
    let engine = try SamplingEngine(
      model: model, stopTokens: [encoder.endOfText],
      options: SamplingOptions(
        temperature: 0.8, topP: 0.95, maximumNewTokens: configuration.sampleTokens, seed: seed))
    let responses = try engine.sample(
      prompts: [[Int32(encoder.endOfText)]], count: configuration.samples)
    return responses.flatMap { $0 }.enumerated().map { index, response in
      SampleRow(
        prompt: "sample \(index + 1)",
        answers: [
          .init(
            model: "temperature 0.8, top-p 0.95",
            text: encoder.tokenizer.decode(
              response.tokens.map { Int($0) }, skippingSpecialTokens: true))
        ])
    }
  }

  private func decoderConfiguration(
    vocabularySize: Int, encoder: ConversationEncoder?
  ) throws -> DecoderConfiguration {
    let result = DecoderConfiguration(
      family: .qwen2, vocabularySize: vocabularySize, hiddenSize: configuration.hiddenSize,
      intermediateSize: configuration.intermediateSize, layerCount: configuration.layers,
      headCount: configuration.heads, keyValueHeadCount: configuration.keyValueHeads,
      maximumPositions: configuration.contextLength, bosTokenID: encoder?.endOfText,
      eosTokenIDs: encoder.map { $0.stopTokens.sorted() } ?? [],
      padTokenID: encoder.flatMap(padToken))
    try result.validate()
    return result
  }

  /// The end of text, unless it also ends a turn: a policy must learn that token, not skip it.
  private func padToken(_ encoder: ConversationEncoder) -> Int? {
    encoder.response("").last == encoder.endOfText ? nil : encoder.endOfText
  }

  /// All documents as token groups in a fixed random order, so that any prefix is a fair sample.
  private func documents(
    _ context: StageContext, encoder: ConversationEncoder
  ) throws -> [TokenGroup] {
    let examples = ExampleEncoder(
      encoder, limits: try TokenLimits(context: configuration.sequenceLength))
    var groups: [TokenGroup] = []
    for file in configuration.files {
      let rows = context.usable(try DataFile.texts(context.artifact(file)))
      groups += examples.groups(of: rows).groups
    }
    var stream = RandomStream(seed: context.seed, purpose: "documents")
    return stream.permutation(groups.count).map { groups[$0] }
  }
}
