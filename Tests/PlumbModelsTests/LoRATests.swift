import PlumbModels
import PlumbTensors
import PlumbTestSupport
import Testing

/// Adapters on tiny models of every family.
@Suite struct LoRATests {
  static let configuration = LoRAConfiguration(rank: 3, alpha: 6)

  /// A model with an adapter whose B is not 0.
  static func adapted(
    _ family: ModelFamily, _ configuration: LoRAConfiguration = configuration
  ) throws -> CausalLM {
    var model = Tiny.model(family)
    model.adapter = try LoRAAdapter(configuration, for: model, seed: 4)
    var stream = RandomStream(seed: 1, purpose: "adapter")
    for entry in model.parameters.trainable.layout.entries {
      let id = try #require(model.parameters.trainable.layout.id(named: entry.name))
      model.parameters.withTrainable {
        $0.assign((0..<entry.shape.count).map { _ in 0.3 * stream.normal() }, to: id)
      }
    }
    return model
  }

  static func logits(_ model: CausalLM) -> [Float] {
    model.logits(tokens: Tiny.tokens(9), layout: PackedLayout(lengths: [9])).scalars
  }

  @Test(arguments: ModelFamily.allCases) func aFreshAdapterChangesNothing(_ family: ModelFamily)
    throws
  {
    let base = Tiny.model(family)
    var model = base
    model.adapter = try LoRAAdapter(Self.configuration, for: model, seed: 4)
    #expect(Self.logits(model) == Self.logits(base))
    let adapter = try #require(model.adapter)
    for entry in adapter.parameters.layout.entries where entry.name.contains("lora_A") {
      let id = try #require(adapter.parameters.layout.id(named: entry.name))
      let bound = 1 / Float(entry.shape[1]).squareRoot()
      let values = adapter.parameters.values(of: id)
      #expect(values.allSatisfy { abs($0) <= bound } && values.contains { abs($0) > bound / 2 })
    }
    let again = try LoRAAdapter(Self.configuration, for: base, seed: 4)
    #expect(bits(again.parameters) == bits(adapter.parameters))
  }

  @Test(arguments: ModelFamily.allCases) func turnedOffItIsTheBaseExactly(_ family: ModelFamily)
    throws
  {
    let model = try Self.adapted(family)
    let base = Tiny.model(family)
    #expect(Self.logits(model.withoutAdapter) == Self.logits(base))
    #expect(!isClose(Self.logits(model), Self.logits(base), absolute: 0.01, relative: 0))
  }

  @Test(arguments: ModelFamily.allCases) func mergeAndUnmerge(_ family: ModelFamily) throws {
    let model = try Self.adapted(family)
    var merged = model.merged
    expectClose(Self.logits(merged), Self.logits(model), absolute: 2e-4, relative: 1e-4)
    merged.unmerge(try #require(model.adapter))
    let base = Tiny.model(family)
    expectClose(
      merged.parameters.withSpan { span in span.indices.map { span[$0] } },
      base.parameters.withSpan { span in span.indices.map { span[$0] } }, absolute: 1e-6,
      relative: 1e-6)
  }

  /// Cached decoding sees the adapter as the forward pass does.
  @Test(arguments: ModelFamily.allCases) func decodingAgreesWithTheForwardPass(
    _ family: ModelFamily
  )
    throws
  {
    let model = try Self.adapted(family)
    let tokens = Tiny.tokens(12)
    let expected = try model.logprobs(of: tokens)
    var state = DecodingState(model)
    var logits = try state.append(prompts: [Array(tokens.prefix(4))])
    var found: [Float] = []
    for token in tokens.dropFirst(4) {
      found.append(logSoftmax(logits).scalars[Int(token)])
      logits = state.step(tokens: [token])
    }
    expectClose(found, Array(expected.dropFirst(3)), absolute: 1e-5, relative: 1e-5)
  }

  @Test func onlyTheAdapterGetsGradientsAndTheWeightsStayShared() throws {
    let start = try Self.adapted(.qwen2)
    let reference = start.withoutAdapter
    var model = start
    var gradients = GradientBlock(for: model.parameters.trainable)
    gradients.accumulate(
      model.logits(tokens: Tiny.tokens(9), layout: PackedLayout(lengths: [9])).square().mean())
    for entry in gradients.layout.entries {
      let id = try #require(gradients.layout.id(named: entry.name))
      #expect(gradients[id].scalars.contains { $0 != 0 }, "\(entry.name)")
    }
    var moments = AdamWMoments(for: model.parameters.trainable)
    model.parameters.withTrainable {
      $0.adamW(
        gradients, &moments, step: 1, learningRate: 0.01, beta1: 0.9, beta2: 0.95, epsilon: 1e-8,
        weightDecay: 0, gradientScale: 1)
    }
    #expect(Self.logits(model) != Self.logits(start))
    let addresses = [model, start, reference].map { model in
      model.parameters.withSpan { $0.withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress) } }
    }
    #expect(Set(addresses).count == 1, "one copy of the weights for policy and reference")
  }

  /// The first layer's input carries no gradient when the embedding is frozen; its adapter must
  /// train all the same where layers are computed twice.
  @Test(arguments: ModelFamily.allCases)
  func checkpointedLayersGiveTheSameBits(_ family: ModelFamily) throws {
    var model = try Self.adapted(family)
    let gradients = [false, true].map { isCheckpointed in
      model.checkpointsLayers = isCheckpointed
      var gradients = GradientBlock(for: model.parameters.trainable)
      gradients.accumulate(
        model.logits(tokens: Tiny.tokens(9), layout: PackedLayout(lengths: [9])).square().mean())
      return gradients
    }
    for entry in gradients[0].layout.entries {
      let id = try #require(gradients[0].layout.id(named: entry.name))
      #expect(gradients[0][id].scalars == gradients[1][id].scalars, "\(entry.name)")
    }
  }

  @Test func configurationsThatDoNotFitAreRefused() throws {
    func refusal(_ configuration: LoRAConfiguration, _ family: ModelFamily = .qwen2) -> String {
      do throws(LoRAError) {
        _ = try LoRAAdapter(configuration, for: Tiny.model(family), seed: 1)
        return ""
      } catch {
        return "\(error)"
      }
    }
    let rank = refusal(LoRAConfiguration(rank: 0, alpha: 1))
    #expect(rank.contains("expected an integer from 1 to 4096, found 0"))
    let alpha = refusal(LoRAConfiguration(rank: 2, alpha: 0))
    #expect(alpha.contains("alpha: expected a number above 0"))
    let target = refusal(LoRAConfiguration(rank: 2, alpha: 1, targetModules: ["c_attn"]))
    #expect(target.contains("'c_attn'") && target.contains("q_proj, k_proj, v_proj, o_proj"))
    let other = refusal(LoRAConfiguration(rank: 2, alpha: 1, targetModules: ["q_proj"]), .gpt2)
    #expect(other.contains("c_attn, c_proj, c_fc"))
    let layer = refusal(
      LoRAConfiguration(rank: 2, alpha: 1, targetModules: ["layers.9.self_attn.q_proj"]))
    #expect(layer.contains("layers.9.self_attn.q_proj"))
  }

  @Test func aPathNamesOneLayer() throws {
    let adapter = try LoRAAdapter(
      LoRAConfiguration(rank: 2, alpha: 1, targetModules: ["1.self_attn.q_proj", "down_proj"]),
      for: Tiny.model(.qwen2), seed: 1)
    let names = adapter.parameters.layout.entries.map(\.name).filter { $0.contains("lora_A") }
    #expect(
      names.sorted() == [
        "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight",
        "base_model.model.model.layers.1.mlp.down_proj.lora_A.weight",
        "base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight",
      ])
  }

  @Test func rankStabilizedScale() {
    #expect(LoRAConfiguration(rank: 16, alpha: 8).scale == 0.5)
    #expect(LoRAConfiguration(rank: 16, alpha: 8, isRankStabilized: true).scale == 2)
  }

  private func bits(_ parameters: ParameterBlock) -> [UInt32] {
    parameters.withSpan { span in span.indices.map { span[$0].bitPattern } }
  }
}
