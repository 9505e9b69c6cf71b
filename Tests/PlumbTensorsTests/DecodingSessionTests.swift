import PlumbTensors
import PlumbTestSupport
import Testing

/// Sequences, pages and passes of a decoder with random weights.
@Suite struct DecodingSessionTests {
  fileprivate static let decoder = make(seed: 1)

  private static func make(seed: UInt64) -> PackedDecoder {
    var stream = RandomStream(seed: seed, purpose: "decoder")
    func random(_ extents: Int..., spread: Float = 0.2) -> Tensor {
      Tensor(
        (0..<extents.reduce(1, *)).map { _ in spread * stream.normal() }, shape: Shape(extents))
    }
    func norm(_ width: Int) -> PackedDecoder.Norm {
      .init(weight: random(width, spread: 1), epsilon: 1e-6)
    }
    let (width, queries, keys, inner, vocabulary) = (24, 24, 12, 40, 50)
    let layers = (0..<2).map { _ in
      PackedDecoder.Layer(
        attentionNorm: norm(width), queryNorm: norm(6), keyNorm: norm(6),
        queryKeyValue: .init(
          weight: random(queries + 2 * keys, width), bias: random(queries + 2 * keys)),
        output: .init(weight: random(width, queries)), feedForwardNorm: norm(width),
        up: .init(weight: random(2 * inner, width)), isGated: true,
        down: .init(weight: random(width, inner)))
    }
    return PackedDecoder(
      embedding: random(vocabulary, width, spread: 1), positionEmbedding: nil, layers: layers,
      finalNorm: norm(width), head: .init(weight: random(vocabulary, width)), queryWidth: queries,
      keyValueWidth: keys, headDimension: 6, ropeBase: 100)
  }

  private func tokens(_ count: Int, seed: UInt64 = 0) -> [Int32] {
    var stream = RandomStream(seed: seed, purpose: "tokens")
    return (0..<count).map { _ in Int32(stream.uniform(below: 50)) }
  }

  /// Logits after a text that is fed token by token into a session of its own.
  private func alone(_ text: [Int32]) -> [Float] {
    var session = DecodingSession(Self.decoder)
    let sequence = session.addSequence()
    for token in text {
      session.feed([token], to: sequence, readsLogits: true)
      session.run()
    }
    return session.logits(row: 0)
  }

  /// The bits of a sequence depend neither on its company nor on how its tokens are cut into passes.
  @Test func sequencesDoNotDependOnTheirCompany() {
    let texts = [1, 5, 15, 16, 17, 33, 300, 600].map { tokens($0, seed: UInt64($0)) }
    var session = DecodingSession(Self.decoder)
    let sequences = texts.map { text in
      let sequence = session.addSequence()
      session.feed(text, to: sequence, readsLogits: true)
      return sequence
    }
    #expect(session.waitingTokens == texts.reduce(0) { $0 + $1.count })
    session.run()
    #expect(session.waitingTokens == 0)
    for (row, text) in texts.enumerated() where text.count < 100 {
      #expect(session.logits(row: row) == alone(text), "\(text.count) tokens")
    }
    // Long prompts cut otherwise: 600 tokens span three parts of a pass.
    var other = DecodingSession(Self.decoder)
    let sequence = other.addSequence()
    let long = texts[7]
    other.feed(long[..<77], to: sequence, readsLogits: false)
    other.run()
    other.feed(long[77...], to: sequence, readsLogits: true)
    other.run()
    #expect(other.logits(row: 0) == session.logits(row: 7))
    #expect(other.length(of: sequence) == 600)
    #expect(session.length(of: sequences[6]) == 300)
  }

  @Test func forksShareThePagesUntilTheyWrite() {
    var session = DecodingSession(Self.decoder)
    let text = tokens(37)
    let first = session.addSequence()
    session.feed(text, to: first, readsLogits: true)
    #expect(session.pageCount == 3)
    // A fork of tokens that are still to be computed.
    let second = session.fork(first)
    session.run()
    let third = session.fork(second)
    #expect(session.pageCount == 3)
    for (sequence, token) in [(first, Int32(4)), (second, 9), (third, 11)] {
      session.feed([token], to: sequence, readsLogits: true)
    }
    session.run()
    // Two full pages are shared by three sequences; of the last one each has its own.
    #expect(session.pageCount == 5)
    #expect(session.logits(row: 0) == alone(text + [4]))
    #expect(session.logits(row: 1) == alone(text + [9]))
    #expect(session.logits(row: 2) == alone(text + [11]))
    session.remove(second)
    #expect(session.pageCount == 4)
    session.remove(first)
    #expect(session.pageCount == 3)
    session.feed([5], to: third, readsLogits: true)
    session.run()
    #expect(session.logits(row: 0) == alone(text + [11, 5]))
    session.remove(third)
    #expect(session.pageCount == 0)
    // What is free is used again, with a number that is free again.
    let next = session.addSequence()
    #expect([first, second, third].contains(next))
    session.feed(text, to: next, readsLogits: true)
    session.run()
    #expect(session.logits(row: 0) == alone(text))
  }

  @Test func aCopyGoesItsOwnWay() {
    var session = DecodingSession(Self.decoder)
    let text = tokens(9)
    let sequence = session.addSequence()
    session.feed(text, to: sequence, readsLogits: true)
    var waiting = session
    session.run()
    var other = session
    session.feed([1], to: sequence, readsLogits: true)
    session.run()
    #expect(other.logits(row: 0) == alone(text))
    other.feed([2], to: sequence, readsLogits: true)
    other.run()
    #expect(session.logits(row: 0) == alone(text + [1]))
    #expect(other.logits(row: 0) == alone(text + [2]))
    waiting.run()
    #expect(waiting.logits(row: 0) == alone(text))
  }

  @Test func drawsComeFromTheLogits() throws {
    var session = DecodingSession(Self.decoder)
    let (one, two) = (session.addSequence(), session.addSequence())
    let long = session.feed(tokens(300), to: one, readsLogits: true)
    let short = session.feed(tokens(4), to: two, readsLogits: true)
    var options = DrawOptions()
    options.temperature = 1.3
    options.topK = 7
    options.repetitionPenalty = 1.2
    let seen = TokenSet([3, 9, 49])
    let uniforms = [0.1, 0.5, 0.7, 0.999]
    for uniform in uniforms {
      session.draw(from: long, uniform: uniform, seen: seen)
      session.draw(from: short, uniform: uniform, seen: seen)
    }
    session.run(options)
    #expect(session.drawCount == 8)
    for (index, uniform) in uniforms.enumerated() {
      for (offset, row) in [long, short].enumerated() {
        let expected = TokenDraw.draw(
          from: session.logits(row: row), options, uniform: uniform, seen: seen)
        #expect(session.drawn(2 * index + offset) == expected)
      }
    }
    #expect(Set(uniforms.indices.map { session.drawn(2 * $0)?.token }).count > 1)
  }

  @Test func misuseTraps() async {
    await #expect(processExitsWith: .failure) {
      var session = DecodingSession(DecodingSessionTests.decoder)
      let sequence = session.addSequence()
      session.remove(sequence)
      session.feed([1], to: sequence, readsLogits: true)
    }
    await #expect(processExitsWith: .failure) {
      var session = DecodingSession(DecodingSessionTests.decoder)
      session.feed([50], to: session.addSequence(), readsLogits: true)
    }
    await #expect(processExitsWith: .failure) {
      var session = DecodingSession(DecodingSessionTests.decoder)
      session.run()
    }
    await #expect(processExitsWith: .failure) {
      var session = DecodingSession(DecodingSessionTests.decoder)
      session.feed([1], to: session.addSequence(), readsLogits: false)
      session.draw(from: 0, uniform: 0.5)
    }
  }
}
