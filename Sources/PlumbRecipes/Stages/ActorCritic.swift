import PlumbModels
import PlumbPreferences
import PlumbRollouts
import PlumbTensors

/// A policy with a value head on its trunk, in one parameter block.
///
/// Where the policy carries an adapter, the head lies in the adapter's block: the two train together,
/// and the weights stay shared with the reference.
///
/// The value of a state is a linear function of the hidden state that predicts the next token, with
/// weights of zero at the start: the first advantages are then the rewards themselves.
struct ActorCritic: TrainableModel {
  private(set) var decoder: Decoder
  var parameters: ParameterBlock
  /// The policy's adapter as it started, for its settings; nil where all weights train.
  private let adapter: LoRAAdapter?
  // In `parameters.trainable`, like everything that moves.
  private let valueWeight: ParameterID
  private let valueBias: ParameterID

  init(policy: CausalLM) {
    adapter = policy.adapter
    if let adapter {
      var layout = adapter.parameters.layout
      (valueWeight, valueBias) = Self.declareHead(policy.configuration, in: &layout)
      var block = ParameterBlock(layout: layout)
      block.copyShared(from: adapter.parameters)
      decoder = policy.decoder
      parameters = policy.parameters
      parameters.updates?.parameters = block
      return
    }
    var layout = ParameterLayout()
    decoder = Decoder(policy.configuration, declaringIn: &layout)
    (valueWeight, valueBias) = Self.declareHead(policy.configuration, in: &layout)
    parameters = ParameterBlock(layout: layout)
    parameters.copyShared(from: policy.parameters)
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
    set { decoder.checkpointsLayers = newValue }
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
    let block = parameters.trainable
    let values = linear(
      hidden.rows(at: batch.rows), weight: block[valueWeight], bias: block[valueBias]
    ).reshaped([batch.rows.count])
    return (logprobs, values, entropies)
  }

  /// Fills behaviour log-probs and values of the buffer's responses, batch by batch as training will
  /// compute them, so that the first ratio is exactly 1.
  ///
  /// - Returns: the mean entropy over the response tokens, in nats.
  func fill(_ buffer: inout RolloutBuffer, batches: [[ResponsePlace]]) -> Double {
    var frozen = self
    frozen.parameters = parameters.frozen
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
