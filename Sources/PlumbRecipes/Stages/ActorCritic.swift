import PlumbModels
import PlumbPreferences
import PlumbRollouts
import PlumbTensors

/// A policy and what estimates the value of its states.
///
/// Either a value head on the policy's trunk, in one parameter block with it: a linear function of
/// the hidden state that predicts the next token. Where the policy carries an adapter, the head lies in
/// the adapter's block: the two train together, and the weights stay shared with the reference.
/// Or a value model of its own with a linear head, all of whose weights train.
///
/// The head starts at zero: the first advantages are then the rewards themselves.
struct ActorCritic {
  private(set) var decoder: Decoder
  var parameters: ParameterBlock
  /// The value model, nil where the head stands on the policy's trunk.
  var critic: RewardModel?
  /// The policy's adapter as it started, for its settings; nil where all weights train.
  private let adapter: LoRAAdapter?
  /// In `parameters.trainable`, like everything that moves.
  private let head: (weight: ParameterID, bias: ParameterID)?

  /// A policy with a value head on its trunk.
  init(policy: CausalLM) {
    adapter = policy.adapter
    if let adapter {
      var layout = adapter.parameters.layout
      head = Self.declareHead(policy.configuration, in: &layout)
      var block = ParameterBlock(layout: layout)
      block.copyShared(from: adapter.parameters)
      decoder = policy.decoder
      parameters = policy.parameters
      parameters.updates?.parameters = block
      return
    }
    var layout = ParameterLayout()
    decoder = Decoder(policy.configuration, declaringIn: &layout)
    head = Self.declareHead(policy.configuration, in: &layout)
    parameters = ParameterBlock(layout: layout)
    parameters.copyShared(from: policy.parameters)
  }

  /// A policy beside a value model that starts from another model's trunk.
  init(policy: CausalLM, valueModel start: RewardModel) throws {
    adapter = policy.adapter
    decoder = policy.decoder
    parameters = policy.parameters
    head = nil
    var critic = try RewardModel(
      configuration: start.decoder.configuration, trunk: start.parameters, head: .linear,
      endOfText: Int(start.endOfText), seed: 0)
    if let score = critic.parameters.layout.id(named: "score.weight") {
      let count = critic.parameters.layout[score].shape.count
      critic.parameters.assign([Float](repeating: 0, count: count), to: score)
    }
    self.critic = critic
  }

  private static func declareHead(
    _ configuration: DecoderConfiguration, in layout: inout ParameterLayout
  ) -> (weight: ParameterID, bias: ParameterID) {
    (
      layout.add("v_head.weight", [1, configuration.hiddenSize], .zeros),
      layout.add("v_head.bias", [1], .zeros)
    )
  }

  /// Whether training computes each layer twice in place of keeping it.
  var checkpointsLayers: Bool {
    get { decoder.checkpointsLayers }
    set {
      decoder.checkpointsLayers = newValue
      critic?.checkpointsLayers = newValue
    }
  }

  /// The policy alone, as a view: sampling and log-probabilities read the same weights.
  var policy: CausalLM { CausalLM(decoder: decoder, parameters: parameters) }

  /// The policy with a block of its own, without the value head.
  var separatePolicy: CausalLM {
    if var own = adapter {
      own.updates.parameters.copyShared(from: parameters.trainable)
      var result = policy
      result.adapter = own
      return result
    }
    var result = CausalLM(decoder.configuration, seed: 0)
    result.parameters.copyShared(from: parameters)
    return result
  }

  /// Log-probabilities, values and entropies of the response tokens of a batch, [M] each.
  func forward(_ batch: RolloutBatch, temperature: Float) -> (
    logprobs: Tensor, values: Tensor, entropies: [Float]
  ) {
    let hidden = decoder.hiddenStates(
      tokens: batch.tokens, layout: batch.layout, parameters: parameters)
    let (logprobs, entropies) = tokenLogprobs(
      hidden: hidden, weight: decoder.outputWeight(in: parameters), rows: batch.rows,
      targets: batch.targets, temperature: temperature, withEntropy: true)
    return (logprobs, values(batch, hidden: hidden), entropies)
  }

  /// Values of the states before the response tokens, [M], by a value model.
  func values(_ critic: RewardModel, _ batch: RolloutBatch) -> Tensor {
    critic.outputs(tokens: batch.tokens, layout: batch.layout, rows: batch.rows)
  }

  private func values(_ batch: RolloutBatch, hidden: Tensor) -> Tensor {
    if let critic { return values(critic, batch) }
    guard let head else { preconditionFailure("ActorCritic: expected a value head, found none") }
    let block = parameters.trainable
    return linear(
      hidden.rows(at: batch.rows), weight: block[head.weight], bias: block[head.bias]
    ).reshaped([batch.rows.count])
  }

  /// Fills behaviour log-probs and values of the buffer's responses, batch by batch as training will
  /// compute them, so that the first ratio is exactly 1.
  ///
  /// - Returns: the mean entropy over the response tokens, in nats.
  func fill(_ buffer: inout RolloutBuffer, batches: [[ResponsePlace]]) -> Double {
    var frozen = self
    frozen.parameters = parameters.frozen
    frozen.critic?.parameters.isFrozen = true
    var entropy = 0.0
    var tokens = 0
    for places in batches {
      let batch = buffer.batch(places)
      let (logprobs, values, entropies) = frozen.forward(
        batch, temperature: buffer.logprobTemperature)
      buffer.set(.behaviourLogprobs, to: logprobs.scalars, in: batch)
      buffer.set(.values, to: values.scalars, in: batch)
      entropy += entropies.reduce(0.0) { $0 + Double($1) }
      tokens += entropies.count
    }
    return entropy / Double(max(1, tokens))
  }
}
