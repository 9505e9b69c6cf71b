import PlumbTensors
import Testing

/// Each case runs in a process of its own, since a trace sees the whole process.
@Suite struct EngineTraceTests {
  @Test func countsProductsAndOperations() async {
    await #expect(processExitsWith: .success) {
      Threads.configure(2)
      let wide = Tensor.zeros([64, 96])
      let weight = Tensor.variable([Float](repeating: 0.5, count: 48 * 96), shape: [48, 96])
      let few = Tensor.zeros([3, 96])
      let (_, trace) = EngineTrace.record {
        _ = Gradients(of: linear(wide, weight: weight).sum())
        _ = linear(few, weight: weight)
      }
      let counts = trace.counts
      // Forward and the weight's gradient; the input needs none.
      #expect(counts.dividedProducts == 2)
      #expect(counts.skinnyProducts == 1)
      #expect(counts.tileProducts == 0)
      #expect(counts.flops == 2 * 96 * 48 * (64 + 64 + 3))
      let silent = EngineTrace.record {}.trace
      #expect(silent.counts == EngineCounts())
    }
  }

  @Test func countsFreshAndReusedBuffers() async {
    await #expect(processExitsWith: .success) {
      let first = EngineTrace.record { _ = Tensor.zeros([1000]) }.trace.counts
      let second = EngineTrace.record { _ = Tensor.zeros([1000]) }.trace.counts
      #expect((first.allocations, first.freshAllocations) == (1, 1))
      #expect(first.freshBytes >= 4000)
      #expect((second.allocations, second.freshAllocations) == (1, 0))
    }
  }

  @Test func replaysAttentionTilesInTheirRegions() async {
    await #expect(processExitsWith: .success) {
      Threads.configure(2)
      let layout = PackedLayout(lengths: [70, 40])
      let x = Tensor.full(0.1, [110, 32])
      let (_, trace) = EngineTrace.record {
        _ = causalAttention(query: x, key: x, value: x, layout: layout, headDimension: 16)
        _ = matmul(x, x, transposeB: true)
      }
      #expect(trace.counts.tileProducts > 0)
      #expect(trace.counts.dividedProducts == 1)
      let replay = trace.replay()
      #expect(replay.tileSeconds > 0 && replay.linearSeconds > 0)
      #expect(replay.seconds == replay.tileSeconds + replay.linearSeconds)
    }
  }
}
