import Foundation
import PlumbTensors
import PlumbTestSupport
import Testing

@Suite struct AttentionTests {
  /// Attention by the definition, one query row and head at a time, in double precision.
  private func definition(
    _ query: Tensor, _ key: Tensor, _ value: Tensor, _ layout: PackedLayout, _ size: Int
  ) -> [Float] {
    let heads = query.shape[1] / size
    let keyHeads = key.shape[1] / size
    let (q, k, v) = (query.scalars, key.scalars, value.scalars)
    var result: [Float] = []
    for segment in layout.segments {
      var prefix: [Int] = []
      if let index = segment.prefix {
        let other = layout.segments[index]
        prefix = Array(other.start..<(other.start + other.count))
      }
      for row in segment.start..<(segment.start + segment.count) {
        let seen: [Int] = prefix + Array(segment.start...row)
        for head in 0..<heads {
          let keyHead = head * keyHeads / heads
          var total = [Double](repeating: 0, count: size)
          var sum = 0.0
          for other in seen {
            let at = (other * keyHeads + keyHead) * size
            var dot = 0.0
            for d in 0..<size { dot += Double(q[(row * heads + head) * size + d] * k[at + d]) }
            let weight: Double = exp(dot / Double(size).squareRoot())
            sum += weight
            for d in 0..<size { total[d] += weight * Double(v[at + d]) }
          }
          for d in 0..<size { result.append(Float(total[d] / sum)) }
        }
      }
    }
    return result
  }

  @Test func valuesEqualTheDefinition() {
    let layouts = [
      PackedLayout(lengths: [1]), PackedLayout(lengths: [3, 0, 5, 1]),
      PackedLayout(lengths: [63, 64, 65, 130]),
      PackedLayout(groups: [
        (prefix: 4, continuations: [3, 0, 2]), (prefix: 70, continuations: [66]),
      ]),
    ]
    withEvery("layout", in: layouts) { layout in
      withEvery("heads", in: [(2, 2), (4, 1), (6, 2)]) { heads in
        let query = spread([layout.tokenCount, heads.0 * 8], seed: 1)
        let key = spread([layout.tokenCount, heads.1 * 8], seed: 2)
        let value = spread([layout.tokenCount, heads.1 * 8], seed: 3)
        expectClose(
          causalAttention(query: query, key: key, value: value, layout: layout, headDimension: 8)
            .scalars, definition(query, key, value, layout, 8), absolute: 1e-5, relative: 1e-4)
      }
    }
  }

  @Test func gradients() {
    let layout = PackedLayout(groups: [
      (prefix: 3, continuations: [2, 1]), (prefix: 2, continuations: []),
    ])
    let inputs = [spread([8, 8], seed: 1), spread([8, 4], seed: 2), spread([8, 4], seed: 3)]
    checkGradients(of: inputs) {
      causalAttention(query: $0[0], key: $0[1], value: $0[2], layout: layout, headDimension: 2)
    }
    checkGradients(of: inputs) {
      let y = causalAttention(
        query: $0[0], key: $0[1], value: $0[2], layout: layout, headDimension: 2)
      return y + $0[0] + concatenated([$0[1].reshaped([4, 8]), $0[2].reshaped([4, 8])])
    }
    checkGradients(of: [inputs[1]]) {
      causalAttention(query: $0[0], key: $0[0], value: $0[0], layout: layout, headDimension: 2)
    }
  }

  /// A block of sequences through norm, projections, rotation and attention, and its gradients.
  private func block(
    _ x: Tensor, _ weights: [Tensor], _ layout: PackedLayout
  ) -> Tensor {
    let q = rotary(
      linear(x, weight: weights[0]), positions: layout.positions, headDimension: 4, base: 100)
    let k = rotary(
      linear(x, weight: weights[1]), positions: layout.positions, headDimension: 4, base: 100)
    let v = linear(x, weight: weights[2])
    return x + causalAttention(query: q, key: k, value: v, layout: layout, headDimension: 4)
  }

  private func variables() -> [Tensor] {
    [[8, 8], [4, 8], [4, 8]].enumerated().map { seed, shape in
      .variable(
        spread(Shape(shape), seed: UInt64(seed) + 20, scale: 0.5).scalars, shape: Shape(shape))
    }
  }

  @Test func packedSequencesDoNotSeeEachOther() throws {
    let lengths = [70, 1, 9]
    let weights = variables()
    let parts = lengths.enumerated().map { spread([$1, 8], seed: UInt64($0)) }
    let packed = block(
      concatenated(parts), weights, PackedLayout(lengths: lengths))
    let apart = concatenated(
      zip(parts, lengths).map { block($0, weights, PackedLayout(lengths: [$1])) })
    expectClose(packed, apart, absolute: 1e-6, relative: 1e-5)
    let (one, other) = (Gradients(of: packed.square().sum()), Gradients(of: apart.square().sum()))
    for weight in weights {
      expectClose(
        try #require(one[weight]), try #require(other[weight]), absolute: 1e-4, relative: 1e-4)
    }
  }

  /// A prompt computed once must train like the same prompt repeated before each response.
  @Test func sharedPrefixesEqualRepeatedOnes() throws {
    let weights = variables()
    let prompt = spread([66, 8], seed: 1)
    let responses = [spread([5, 8], seed: 2), spread([70, 8], seed: 3), spread([1, 8], seed: 4)]
    let shared = block(
      concatenated([prompt] + responses), weights,
      PackedLayout(groups: [(prefix: 66, continuations: [5, 70, 1])]))
    let sharedLoss = shared.rows(at: Array(66..<142)).square().sum()
    let repeated = responses.map { response in
      block(
        concatenated([prompt, response]), weights,
        PackedLayout(lengths: [66 + response.shape[0]])
      ).rows(at: Array(66..<66 + response.shape[0]))
    }
    expectClose(
      shared.rows(at: Array(66..<142)), concatenated(repeated), absolute: 1e-5, relative: 1e-5)
    let repeatedLoss = concatenated(repeated).square().sum()
    let (one, other) = (Gradients(of: sharedLoss), Gradients(of: repeatedLoss))
    for weight in weights {
      expectClose(
        try #require(one[weight]), try #require(other[weight]), absolute: 1e-4, relative: 1e-4)
    }
  }

  @Test func layouts() {
    let layout = PackedLayout(groups: [
      (prefix: 2, continuations: [1, 2]), (prefix: 1, continuations: []),
    ])
    #expect(layout.segments.map(\.start) == [0, 2, 3, 5])
    #expect(layout.segments.map(\.prefix) == [nil, 0, 0, nil])
    #expect(layout.positions == [0, 1, 2, 2, 3, 0])
    #expect(layout.tokenCount == 6)
    #expect(PackedLayout(lengths: []).tokenCount == 0)
  }

  @Test func wrongShapesTrap() async {
    await #expect(processExitsWith: .failure) {
      _ = causalAttention(
        query: spread([3, 4]), key: spread([3, 4]), value: spread([3, 4]),
        layout: PackedLayout(lengths: [4]), headDimension: 4)
    }
    await #expect(processExitsWith: .failure) {
      _ = causalAttention(
        query: spread([3, 4]), key: spread([3, 8]), value: spread([3, 8]),
        layout: PackedLayout(lengths: [3]), headDimension: 4)
    }
    await #expect(processExitsWith: .failure) { _ = PackedLayout(lengths: [-1]) }
  }
}
