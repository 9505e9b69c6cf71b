import Foundation
import PlumbPreferences
import PlumbRollouts
import PlumbTokenizers

/// The costly parts of a comparison: the answers of each policy, then the verdicts of each judge on all of them.
///
/// Each part is a cell, so a killed stage goes on with the next one (``CellRunner``). `cells/answers-1` has
/// the first policy's answers as a rollout buffer, `cells/verdicts-1` the first judge's judgements.
struct ComparisonParts {
  /// One that answers.
  struct Contestant {
    let name: String
    /// Samples that it draws for each answer.
    var samples = 1
    /// Answers all prompts.
    let answers: () throws -> PolicyAnswers
  }

  let context: StageContext
  /// The baseline first.
  let contestants: [Contestant]
  let judges: [any Judge]
  /// Tokenizer and template of all policies.
  let encoder: ConversationEncoder

  /// What a part leaves beside its files.
  private struct Record: Codable {
    var selection: SelectionDivergence?
  }

  /// Does what is not done yet.
  ///
  /// - Returns: the answers of each contestant, and of each judge one judgement per prompt over the answers
  ///   of all contestants, in their order.
  func run() throws -> (answers: [PolicyAnswers], verdicts: [[Judgement]]) {
    var buffers: [Int: RolloutBuffer] = [:]
    var verdicts: [Int: [Judgement]] = [:]
    let cells =
      contestants.enumerated().map { GridCell("answers-\($0 + 1)", units: $1.samples) }
      + judges.indices.map { GridCell("verdicts-\($0 + 1)", units: 1) }
    let folder = KeptFolder.cells(of: context).url
    /// What was answered in this process or in one before it.
    func buffer(_ contestant: Int) throws -> RolloutBuffer {
      if let known = buffers[contestant] { return known }
      let kept = try RolloutBuffer(directory: folder.appending(path: cells[contestant].name))
      buffers[contestant] = kept
      return kept
    }
    func verdictsFile(_ judge: Int) -> URL {
      folder.appending(path: cells[contestants.count + judge].name)
        .appending(path: "judgements.jsonl.zst")
    }
    let records = try CellRunner<Record>(context).run(cells) { index, cell in
      if index < contestants.count {
        let made = try contestants[index].answers()
        try made.buffer.write(to: cell.folder)
        buffers[index] = made.buffer
        return Record(selection: made.selection)
      }
      let judge = index - contestants.count
      let found = try judges[judge].judge(groups: groups(try contestants.indices.map(buffer)))
      try RunFiles.createFolder(cell.folder)
      try RunFiles.write(lines: found, to: verdictsFile(judge))
      verdicts[judge] = found
      return Record()
    }
    return (
      try contestants.indices.map {
        PolicyAnswers(
          name: contestants[$0].name, buffer: try buffer($0), selection: records[$0].selection)
      },
      try judges.indices.map {
        try verdicts[$0] ?? RunFiles.read(lines: Judgement.self, from: verdictsFile($0))
      }
    )
  }

  /// All policies' answers to a prompt at once, so that equal answers tie.
  private func groups(_ buffers: [RolloutBuffer]) -> [JudgeGroup] {
    guard let first = buffers.first else { return [] }
    return first.groups.indices.map { index in
      let prompt = first.groups[index]
      var group = JudgeGroup(
        prompt: prompt.prompt, promptTokens: prompt.promptTokens,
        sampled: buffers.flatMap { $0.groups[index].responses.map(\.tokens) }, encoder: encoder)
      group.id = prompt.id
      group.answer = prompt.answer
      return group
    }
  }
}
