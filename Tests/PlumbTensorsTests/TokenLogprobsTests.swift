import PlumbTensors
import PlumbTestSupport
import Testing

@Suite struct TokenLogprobsTests {
  @Test func valuesEqualLogSoftmax() {
    let hidden = spread([6, 5], seed: 1)
    let weight = spread([37, 5], seed: 2)
    let (rows, targets): ([Int], [Int32]) = ([4, 0, 4, 5], [36, 0, 7, 7])
    let found = tokenLogprobs(
      hidden: hidden, weight: weight, rows: rows, targets: targets, temperature: 0.7,
      withEntropy: true)
    let all = logSoftmax(logits(hidden: hidden, weight: weight) / 0.7).scalars
    let expected: [Float] = zip(rows, targets).map { row, target in all[row * 37 + Int(target)] }
    expectClose(found.logprobs.scalars, expected)
    let probabilities = softmax(logits(hidden: hidden, weight: weight) / 0.7).scalars
    let entropies = rows.map { row in
      var entropy: Float = 0
      for i in row * 37..<(row + 1) * 37 { entropy -= probabilities[i] * all[i] }
      return entropy
    }
    expectClose(found.entropies, entropies, absolute: 1e-5, relative: 1e-5)
    #expect(tokenLogprobs(hidden: hidden, weight: weight, rows: [], targets: []).entropies.isEmpty)
  }

  @Test func gradients() {
    let inputs = [spread([5, 4], seed: 1), spread([7, 4], seed: 2)]
    checkGradients(of: inputs) {
      tokenLogprobs(
        hidden: $0[0], weight: $0[1], rows: [3, 0, 3], targets: [6, 0, 2], temperature: 0.7
      ).logprobs
    }
    checkGradients(of: inputs) {
      tokenLogprobs(
        hidden: $0[0], weight: $0[1], rows: [0, 1, 2, 3, 4], targets: [6, 0, 2, 2, 1]
      ).logprobs
    }
    checkGradients(of: inputs) {
      tokenLogprobs(hidden: $0[0], weight: $0[1], rows: [3, 0], targets: [6, 0]).logprobs.sum()
        + $0[0].square().sum() + $0[1].square().sum()
    }
  }

  /// Entropies with a gradient: the values of the plain function, and finite differences.
  @Test func entropiesCarryAGradient() throws {
    let inputs = [spread([5, 4], seed: 1), spread([7, 4], seed: 2)]
    let (rows, targets): ([Int], [Int32]) = ([3, 0, 3, 4], [6, 0, 2, 5])
    let plain = tokenLogprobs(
      hidden: inputs[0], weight: inputs[1], rows: rows, targets: targets, temperature: 0.7,
      withEntropy: true)
    let both = tokenLogprobsAndEntropies(
      hidden: inputs[0], weight: inputs[1], rows: rows, targets: targets, temperature: 0.7)
    #expect(both.logprobs.scalars == plain.logprobs.scalars)
    #expect(both.entropies.scalars == plain.entropies)
    checkGradients(of: inputs) {
      tokenLogprobsAndEntropies(
        hidden: $0[0], weight: $0[1], rows: rows, targets: targets, temperature: 0.7
      ).entropies
    }
    checkGradients(of: inputs) {
      let found = tokenLogprobsAndEntropies(
        hidden: $0[0], weight: $0[1], rows: rows, targets: targets, temperature: 0.7)
      return found.logprobs.sum() * 0.5 + found.entropies.square().sum()
    }
    let none = tokenLogprobsAndEntropies(
      hidden: inputs[0], weight: inputs[1], rows: [], targets: [])
    #expect(none.logprobs.count == 0 && none.entropies.count == 0)
  }

  /// A vocabulary so large that one chunk holds 64 rows: chunks are made again in backward.
  @Test func chunksEqualOneByOne() throws {
    let (count, vocabulary) = (150, 262_144)
    let hidden = Tensor.variable(spread([count, 2], seed: 1).scalars, shape: [count, 2])
    let weight = Tensor.variable(spread([vocabulary, 2], seed: 2).scalars, shape: [vocabulary, 2])
    let targets = (0..<count).map { Int32($0 * 1_747 % vocabulary) }
    let factors = spread([count], seed: 3)
    let whole = tokenLogprobs(
      hidden: hidden, weight: weight, rows: Array(0..<count), targets: targets
    ).logprobs
    let order = Array((0..<count).reversed())
    let parts = concatenated(
      [order[..<60], order[60..<100], order[100...]].map { rows in
        tokenLogprobs(
          hidden: hidden, weight: weight, rows: Array(rows), targets: rows.map { targets[$0] }
        ).logprobs
      })
    expectClose(whole.scalars, parts.scalars.reversed(), absolute: 1e-5, relative: 1e-5)
    let one = Gradients(of: (whole * factors).sum())
    let other = Gradients(
      of: (parts * Tensor(factors.scalars.reversed())).sum())
    for variable in [hidden, weight] {
      expectClose(
        try #require(one[variable]), try #require(other[variable]), absolute: 1e-4, relative: 1e-4)
    }
  }

  @Test func certaintyHasNoEntropy() {
    let found = tokenLogprobs(
      hidden: Tensor([1000], shape: [1, 1]), weight: Tensor([1, -1, 0], shape: [3, 1]), rows: [0],
      targets: [0], withEntropy: true)
    #expect(found.logprobs.scalars == [0] && found.entropies == [0])
  }

  @Test func wrongIndicesTrap() async {
    await #expect(processExitsWith: .failure) {
      _ = tokenLogprobs(hidden: spread([2, 3]), weight: spread([4, 3]), rows: [2], targets: [0])
    }
    await #expect(processExitsWith: .failure) {
      _ = tokenLogprobs(hidden: spread([2, 3]), weight: spread([4, 3]), rows: [0], targets: [4])
    }
    await #expect(processExitsWith: .failure) {
      _ = tokenLogprobs(
        hidden: spread([2, 3]), weight: spread([4, 3]), rows: [0, 1], targets: [0])
    }
    await #expect(processExitsWith: .failure) {
      _ = tokenLogprobs(
        hidden: spread([2, 3]), weight: spread([4, 3]), rows: [0], targets: [0], temperature: 0)
    }
  }
}
