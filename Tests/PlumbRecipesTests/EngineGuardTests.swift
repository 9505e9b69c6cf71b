import PlumbModels
import PlumbTensors
import Testing

/// Guards speed without a clock: what a fixed small workload makes the engine do.
///
/// Operations follow from the shapes and are checked exactly. Numbers of allocations and of hand-overs
/// to the other threads depend on how the kernels are written: the bounds are what was measured, and
/// may only be raised for a reason. Each case runs in a process of its own, since counts are of the
/// whole process.
@Suite struct EngineGuardTests {
  @Test("Complaint 12, trl#1900: a training step computes each prompt once")
  func aTrainingStepComputesEachPromptOnceAndFusesItsProjections() async {
    await #expect(processExitsWith: .success) {
      Threads.configure(2)
      var step = try GuardedDPO()
      try step.run()
      let counts = try EngineTrace.record { try step.run() }.trace.counts
      let shape = GuardedModel.self
      // 3 prompts of 20 tokens, each once, with responses of 12 and 10.
      let (tokens, targets) = (3 * (20 + 12 + 10), 3 * (12 + 10))
      let forward = 2 * (tokens * shape.layerWeights + targets * shape.headWeights)
      // The reference runs forward; the policy forward, and backward to inputs and to weights.
      #expect(
        counts.linearFlops == forward + 3 * forward,
        "operations: \(counts.linearFlops) in place of \(4 * forward); is a prompt computed twice?")
      // q, k and v are one product, so are gate and up: 4 a layer, and the head.
      let products = 4 * shape.layers + 1
      let found = counts.dividedProducts + counts.skinnyProducts
      #expect(
        found == products + 3 * products,
        "products: \(found) in place of \(4 * products); are projections still fused?")
      #expect(counts.tileProducts <= 648, "found \(counts.tileProducts)")
      #expect(counts.parallelRegions <= 7, "found \(counts.parallelRegions)")
    }
  }

  @Test("Complaint 13, trl#3664: a training step takes no fresh memory")
  func aTrainingStepTakesNoFreshMemory() async {
    await #expect(processExitsWith: .success) {
      // With one thread the order of allocations is always the same.
      Threads.configure(1)
      var step = try GuardedDPO()
      for _ in 0..<2 { try step.run() }
      let counts = try EngineTrace.record { try step.run() }.trace.counts
      #expect(counts.freshAllocations == 0, "\(counts.freshBytes) bytes")
      #expect(counts.allocations <= 720, "found \(counts.allocations)")
    }
  }

  @Test("Complaint 13, trl#3664: logits are never whole in memory")
  func logitsAreNeverWhole() async {
    await #expect(processExitsWith: .success) {
      let vocabulary = 1 << 16
      let rows = 1024
      let counts = EngineTrace.record {
        let weight = Tensor.variable(
          [Float](repeating: 0.01, count: vocabulary * 4), shape: [vocabulary, 4])
        let hidden = Tensor.variable([Float](repeating: 0.1, count: rows * 4), shape: [rows, 4])
        let found = tokenLogprobs(
          hidden: hidden, weight: weight, rows: Array(0..<rows),
          targets: [Int32](repeating: 7, count: rows))
        _ = Gradients(of: found.logprobs.sum())
      }.trace.counts
      #expect(
        counts.largestAllocation <= rows * vocabulary * 4 / 4,
        "largest buffer: \(counts.largestAllocation) bytes, all logits: \(rows * vocabulary * 4)")
    }
  }

  @Test("Complaint 12, trl#1900: sampling computes each prompt once and nothing twice")
  func samplingComputesEachPromptOnceAndNothingTwice() async {
    await #expect(processExitsWith: .success) {
      Threads.configure(2)
      let sampling = try GuardedSampling()
      try sampling.run()
      let counts = try EngineTrace.record { try sampling.run() }.trace.counts
      let shape = GuardedModel.self
      // 3 prompts of 9 tokens once, and their logits; then 7 of the 8 tokens of 12 rows are fed back.
      let prefill = 2 * (27 * shape.layerWeights + 3 * shape.headWeights)
      let decoding = 2 * 7 * 12 * (shape.layerWeights + shape.headWeights)
      #expect(
        counts.linearFlops == prefill + decoding,
        "operations: \(counts.linearFlops) in place of \(prefill + decoding)")
      let products = 4 * shape.layers + 1
      let found = counts.dividedProducts + counts.skinnyProducts + counts.packedProducts
      #expect(
        found == products + 7 * products, "products: \(found) in place of \(8 * products)")
      #expect(counts.parallelRegions <= 8, "found \(counts.parallelRegions)")
    }
  }

  @Test func samplingTakesNoFreshMemory() async {
    await #expect(processExitsWith: .success) {
      Threads.configure(1)
      let sampling = try GuardedSampling()
      for _ in 0..<2 { try sampling.run() }
      let counts = try EngineTrace.record { try sampling.run() }.trace.counts
      #expect(counts.freshAllocations == 0, "\(counts.freshBytes) bytes")
      #expect(counts.allocations <= 8, "found \(counts.allocations)")
    }
  }
}
