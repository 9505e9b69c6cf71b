public import PlumbData
public import PlumbTensors

/// A prompt and the responses to be compared, as token ids.
public struct PreferenceGroup: Hashable, Sendable {
  /// Ids of the prompt, up to where the response begins; empty for bare sequences.
  public var prompt: [Int32]
  /// Ids of each response; for a preference pair, chosen first and rejected second.
  public var responses: [[Int32]]

  /// Makes a group of any number of responses.
  public init(prompt: [Int32], responses: [[Int32]]) {
    self.prompt = prompt
    self.responses = responses
  }

  /// Makes a preference pair.
  public init(prompt: [Int32], chosen: [Int32], rejected: [Int32]) {
    self.init(prompt: prompt, responses: [chosen, rejected])
  }

  /// Takes over the ids of a data set's row, as `ExampleEncoder` made them for scoring.
  public init(_ group: TokenGroup) {
    self.init(prompt: group.prompt, responses: group.responses)
  }

  /// Tokens computed for the group: the prompt once and every response.
  public var tokenCount: Int { responses.reduce(prompt.count) { $0 + $1.count + 1 } }
}

/// Groups laid end to end, each prompt once, with the rows that a preference head reads.
public struct PreferenceBatch: Sendable {
  /// All tokens, [N].
  public let tokens: [Int32]
  /// Segments of `tokens`; responses continue their prompt.
  public let layout: PackedLayout
  /// Row of `tokens` where each response is read, groups in order, responses in order.
  public let readRows: [Int]
  /// Row of the last prompt token of each group, nil where the prompt is empty.
  public let promptRows: [Int?]
  /// Number of responses of each group.
  public let responseCounts: [Int]

  /// Packs groups for a model.
  /// - Parameters:
  ///   - groups: at least one, with at least one token in each sequence.
  ///   - readout: where the model reads.
  ///   - limits: context length and vocabulary of the model, checked for every row.
  ///   - firstRow: number of the first group in messages.
  /// - Throws: `PreferenceError` naming the row that is empty, too long or out of the vocabulary.
  public init(
    _ groups: [PreferenceGroup], readout: Readout, limits: SequenceLimits, firstRow: Int = 0
  ) throws(PreferenceError) {
    var tokens: [Int32] = []
    var shape: [(prefix: Int, continuations: [Int])] = []
    var readRows: [Int] = []
    var promptRows: [Int?] = []
    for (offset, group) in groups.enumerated() {
      let row = firstRow + offset
      let prepared = group.responses.map(readout.prepared)
      try limits.check(prompt: group.prompt, responses: prepared, row: row)
      if group.prompt.isEmpty {
        // A bare sequence is a prefix without continuations.
        for response in prepared {
          tokens += response
          shape.append((response.count, []))
          readRows.append(tokens.count - 1)
        }
        promptRows.append(nil)
        continue
      }
      tokens += group.prompt
      let promptRow = tokens.count - 1
      promptRows.append(promptRow)
      for response in prepared {
        tokens += response
        readRows.append(response.isEmpty ? promptRow : tokens.count - 1)
      }
      shape.append((group.prompt.count, prepared.map(\.count).filter { $0 > 0 }))
    }
    self.tokens = tokens
    self.layout = PackedLayout(groups: shape)
    self.readRows = readRows
    self.promptRows = promptRows
    self.responseCounts = groups.map(\.responses.count)
  }

  /// Reads responses that a data set has already packed for training.
  ///
  /// - Parameters:
  ///   - packed: groups whose responses were encoded for scoring.
  ///   - readout: where the model reads.
  /// - Throws: `PreferenceError.endOfTextMissing` for a response without the id to read at.
  public init(_ packed: PackedBatch, readout: Readout) throws(PreferenceError) {
    var readRows: [Int] = []
    var promptRows: [Int?] = []
    var end = 0
    var next = 0
    for (group, count) in packed.responseCounts.enumerated() {
      let ranges = packed.responseRanges[next..<next + count]
      next += count
      let promptEnd = ranges.first?.lowerBound ?? end
      promptRows.append(promptEnd > end ? promptEnd - 1 : nil)
      for range in ranges {
        guard let row = readout.row(in: packed.tokens[range]) else {
          throw .endOfTextMissing(row: packed.examples[group])
        }
        readRows.append(row)
      }
      end = ranges.last?.upperBound ?? end
    }
    tokens = packed.tokens
    layout = packed.layout
    responseCounts = packed.responseCounts
    self.readRows = readRows
    self.promptRows = promptRows
  }

  /// The tokens of the first response's sequence of each group, prompt included, as targets.
  ///
  /// Each is predicted at the row before it; the first token of a sequence has none and is left out.
  /// - Returns: rows and targets sequence after sequence, and how many each has.
  public var chosenTargets: (rows: [Int], targets: [Int32], counts: [Int]) {
    var (rows, targets, counts): ([Int], [Int32], [Int]) = ([], [], [])
    var segment = 0
    var read = 0
    for (group, promptRow) in promptRows.enumerated() {
      let before = rows.count
      let first = layout.segments[segment]
      for index in first.start..<first.start + max(0, first.count - 1) {
        rows.append(index)
        targets.append(tokens[index + 1])
      }
      if let promptRow, readRows[read] != promptRow {
        let response = layout.segments[segment + 1]
        for offset in 0..<response.count {
          rows.append(offset == 0 ? promptRow : response.start + offset - 1)
          targets.append(tokens[response.start + offset])
        }
      }
      counts.append(rows.count - before)
      let responses = readRows[read..<read + responseCounts[group]]
      // A prompt has a segment of its own, and an empty response has none.
      segment += promptRow == nil ? responses.count : 1 + responses.count { $0 != promptRow }
      read += responses.count
    }
    return (rows, targets, counts)
  }

  /// Indices into `readRows` of the first response of each pair.
  ///
  /// Traps unless every group has two responses.
  public var chosenIndices: [Int] { pairIndices(0) }

  /// Indices into `readRows` of the second response of each pair.
  public var rejectedIndices: [Int] { pairIndices(1) }

  private func pairIndices(_ side: Int) -> [Int] {
    precondition(
      responseCounts.allSatisfy { $0 == 2 },
      "PreferenceBatch: expected pairs, found groups of \(responseCounts) responses")
    return responseCounts.indices.map { 2 * $0 + side }
  }
}

/// What a sequence must keep to for a model to read it.
public struct SequenceLimits: Hashable, Sendable {
  /// Longest prompt and response together, in tokens.
  public let maximumPositions: Int
  /// Ids run from 0 to this, exclusive.
  public let vocabularySize: Int

  /// Makes limits.
  public init(maximumPositions: Int, vocabularySize: Int) {
    self.maximumPositions = maximumPositions
    self.vocabularySize = vocabularySize
  }

  /// Checks one group.
  /// - Throws: `PreferenceError` with `row`.
  public func check(prompt: [Int32], responses: [[Int32]], row: Int) throws(PreferenceError) {
    try check(prompt, from: 0, row: row)
    for response in responses {
      let count = prompt.count + response.count
      guard count > 0 else { throw .emptySequence(row: row) }
      guard count <= maximumPositions else {
        throw .sequenceTooLong(row: row, tokens: count, limit: maximumPositions)
      }
      try check(response, from: prompt.count, row: row)
    }
  }

  private func check(_ ids: [Int32], from start: Int, row: Int) throws(PreferenceError) {
    for (index, id) in ids.enumerated() where id < 0 || Int(id) >= vocabularySize {
      throw .tokenOutOfRange(
        row: row, position: start + index, token: Int(id), vocabularySize: vocabularySize)
    }
  }
}
