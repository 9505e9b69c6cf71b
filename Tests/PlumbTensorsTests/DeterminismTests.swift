import CKernels
import PlumbTensors
import PlumbTestSupport
import Testing

/// The thread count is one for the whole process, and results hold bit for bit for one count only: what
/// changes it runs in a process of its own, away from the other suites.
@Suite struct DeterminismTests {
  /// Every operation that divides its work, at sizes that are divided.
  static func gradients() -> [[Float]] {
    let layout = PackedLayout(groups: [
      (prefix: 90, continuations: [70, 140]), (prefix: 60, continuations: []),
    ])
    let shapes: [Shape] = [[97, 64], [64], [192, 64], [128, 64], [64, 64]]
    let leaves = shapes.enumerated().map { seed, shape in
      Tensor.variable(spread(shape, seed: UInt64(seed), scale: 0.3).scalars, shape: shape)
    }
    let ids = (0..<layout.tokenCount).map { Int32($0 * 31 % 97) }
    let x = embedding(ids, weight: leaves[0])
    let normed = rmsNorm(x, weight: leaves[1], epsilon: 1e-6)
    let projected = linear(normed, weight: leaves[2])
    let parts = (0..<3).map { part -> Tensor in
      let columns = projected.columns(in: part * 64..<(part + 1) * 64)
      return part == 2
        ? columns
        : rotary(columns, positions: layout.positions, headDimension: 16, base: 10_000)
    }
    let mixed =
      x
      + causalAttention(
        query: parts[0], key: parts[1], value: parts[2], layout: layout, headDimension: 16)
    let hidden = mixed + matmul(swiGLU(gateAndUp: linear(mixed, weight: leaves[3])), leaves[4])
    let found = tokenLogprobs(
      hidden: hidden, weight: leaves[0], rows: Array(0..<layout.tokenCount - 1),
      targets: Array(ids.dropFirst()), withEntropy: true)
    let gradients = Gradients(of: -found.logprobs.mean())
    return [found.logprobs.scalars, found.entropies]
      + leaves.map { gradients[$0]?.scalars ?? [] }
  }

  @Test func aFixedThreadCountRepeatsExactly() async {
    await #expect(processExitsWith: .success) {
      for count in [1, 2, 3] {
        Threads.configure(count)
        #expect(Threads.count == count)
        let first = DeterminismTests.gradients()
        for _ in 0..<5 { #expect(DeterminismTests.gradients() == first) }
      }
    }
  }

  @Test func threadCountsAgreeUpToRounding() async {
    await #expect(processExitsWith: .success) {
      Threads.configure(1)
      let one = DeterminismTests.gradients()
      Threads.configure(3)
      for (found, expected) in zip(DeterminismTests.gradients(), one) {
        expectClose(found, expected, absolute: 1e-5, relative: 1e-4)
      }
    }
  }

  @Test func workersRunEveryChunkOnce() async {
    await #expect(processExitsWith: .success) {
      Threads.configure(3)
      withEvery("chunks", in: [0, 1, 2, 3, 100]) { chunks in
        let counts = UnsafeMutableBufferPointer<Int32>.allocate(capacity: max(1, chunks))
        defer { counts.deallocate() }
        for _ in 0..<200 {
          counts.update(repeating: 0)
          plumb_parallel(
            Int32(chunks), { $0?.assumingMemoryBound(to: Int32.self)[Int($1)] += 1 },
            counts.baseAddress)
          #expect((0..<chunks).allSatisfy { counts[$0] == 1 })
        }
      }
    }
  }

  @Test func noThreadsTrap() async {
    await #expect(processExitsWith: .failure) { Threads.configure(0) }
  }
}
