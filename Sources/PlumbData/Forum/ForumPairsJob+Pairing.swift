import Foundation
import PlumbCheckpoints

extension ForumPairsJob {
  /// Step 3: partition by partition, threads and their pairs.
  func pair() throws {
    let count = state.partitionCount
    // The keys are gone by now.
    if var lengths = state.spill {
      lengths.keys = Array(repeating: 0, count: count)
      state.spill = lengths
    }
    let spill = try PostSpill(in: work, partitionCount: count, lengths: state.spill)
    let lists = try PartitionedFiles(
      "duplicates", in: work, count: count, memory: 0, lengths: state.duplicateLengths)
    var outputs = PairOutputs(
      outputNames, in: work, compression: options.compression, lengths: state.outputLengths)
    try outputs.cutBack()
    var pairing = ThreadPairing(options, split, decontamination)
    pairing.counts = state.counts
    if !state.contaminated.isEmpty { pairing.contaminated = state.contaminated }
    pairing.seenSites = state.seenSites
    let sites = Dictionary(
      inputs.filter { $0.format == .stackExchange }
        .map { (ForumInputReader.space(of: $0), $0.site) }, uniquingKeysWith: { first, _ in first })
    let partsByName = Dictionary(
      uniqueKeysWithValues: outputNames.enumerated().map { ($0.element, $0.offset) })
    let total = spill.texts.lengths.reduce(0, +)
    let start = spill.texts.lengths[..<state.partition].reduce(0, +)
    var done = start
    while state.partition < count {
      let partition = state.partition
      let length = spill.texts.lengths[partition]
      if length > 0 {
        let metas = try sorted(spill.metas.records(partition, as: PostMeta.self), &pairing.counts)
        let duplicates = Set(
          try lists.records(partition, as: QuestionKey.self).map { Thread($0.space, $0.thread) })
        let texts = try PostTexts(spill.texts.url(partition))
        var first = 0
        while first < metas.count {
          let question = metas[first]
          var end = first + 1
          while end < metas.count, metas[end].space == question.space,
            metas[end].thread == question.thread
          { end += 1 }
          if question.isAnswer {
            pairing.counts[.orphan] += end - first
          } else if duplicates.contains(Thread(question.space, question.thread)) {
            pairing.counts[.duplicate] += 1
          } else {
            try pairing.write(
              question, Array(metas[(first + 1)..<end]), texts: texts, site: { sites[$0] ?? "" }
            ) { line, part in
              state.pairsByPart[part, default: 0] += 1
              try outputs.write(line, to: partsByName[part] ?? 0)
            }
          }
          first = end
          if first % 256 == 0 {
            let here = done + Int(Double(length) * Double(first) / Double(metas.count))
            try show(pairing, here, total, start)
          }
        }
      }
      // Always, so that the frames do not depend on when the state was saved.
      try outputs.endFrames()
      done += length
      state.partition += 1
      state.outputLengths = outputs.lengths
      (state.counts, state.contaminated) = (pairing.counts, pairing.contaminated)
      state.seenSites = pairing.seenSites
      try save(isRegular: true)
      try show(pairing, done, total, start)
    }
    state.phase = .publishing
    try save()
  }

  private struct Thread: Hashable {
    let space: UInt64
    let key: UInt64

    init(_ space: UInt64, _ key: UInt64) { (self.space, self.key) = (space, key) }
  }

  private func show(_ pairing: ThreadPairing, _ done: Int, _ total: Int, _ start: Int) throws {
    try show(
      Progress(step: 2, done: done, total: total, start: start, pairs: pairing.counts[.pairs]))
  }

  /// Posts by thread, the question first, answers as they came; posts that were read twice once.
  private func sorted(_ metas: [PostMeta], _ counts: inout ForumCounts) -> [PostMeta] {
    let ordered = metas.sorted {
      ($0.space, $0.thread, $0.isAnswer ? 1 : 0, $0.ordinal)
        < ($1.space, $1.thread, $1.isAnswer ? 1 : 0, $1.ordinal)
    }
    var kept: [PostMeta] = []
    kept.reserveCapacity(ordered.count)
    var seen: Set<UInt64> = []
    for meta in ordered {
      if let last = kept.last, (last.space, last.thread) != (meta.space, meta.thread) {
        seen.removeAll(keepingCapacity: true)
      }
      // A thread has one question; answers are told apart by their keys.
      guard seen.insert(meta.isAnswer ? meta.key : .max).inserted else {
        counts[.repeated] += 1
        continue
      }
      kept.append(meta)
    }
    return kept
  }

  /// The files get their names, the report is written, the work is removed.
  func publish() throws -> ForumPairsReport {
    let outputs = PairOutputs(
      outputNames, in: work, compression: options.compression, lengths: state.outputLengths)
    try outputs.publish(to: target)
    var counts = state.counts
    for report in state.reports { counts.add(report.counts) }
    let unseen = options.heldOutSites.subtracting(state.seenSites).sorted()
    var notes = unseen.map { "the site '\($0)' was to be held out, and no pair is of it" }
    // Each of Reddit's two files is whole without the other, and gives no pair.
    let (questions, answers) = (counts[.questions], counts[.answers])
    if questions == 0 || answers == 0 {
      notes.append(
        "there is no \(questions == 0 ? "question" : "answer") in these files; "
          + "of Reddit, give a month's RS_ and RC_ files together")
    }
    let report = ForumPairsReport(
      options: options, inputs: state.reports, counts: counts,
      testSets: decontamination.sets.enumerated().map { index, set in
        let dropped =
          state.contaminated.indices.contains(index)
          ? state.contaminated[index] : ContaminationCounts()
        return .init(name: set.name, texts: set.texts, dropped: dropped)
      },
      outputs: outputNames.enumerated().map { index, name in
        .init(
          part: name, file: outputs.fileName(index), pairs: state.pairsByPart[name] ?? 0)
      },
      notes: notes)
    try AtomicFile.write(report.json.serialized() + "\n", to: target.appending(path: "report.json"))
    try FileManager.default.removeItem(at: work)
    return report
  }
}
