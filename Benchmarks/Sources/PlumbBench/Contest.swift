/// Sides that run one workload in turn, repetition by repetition.
struct Contest {
  /// One workload of Plumb's, with its variants, and the peers that run the same.
  struct Entrants {
    var workloads: [WorkloadName]
    var peers: [Peer]
  }

  let bench: Bench
  let python: PeerPrograms
  let entrants: Entrants
  /// Pairs of repetitions; by workload if nil.
  let repeats: Int?

  /// Which sides are loaded at once.
  ///
  /// Of a small model all that run one workload; of a large one two at a time, since PyTorch alone
  /// may need most of the memory.
  static func groups(
    _ workloads: [WorkloadName], peers: Set<Peer>, isLarge: Bool
  ) -> [Entrants] {
    var groups: [Entrants] = []
    for workload in workloads {
      let found = workload.peers.filter(peers.contains)
      if isLarge {
        groups += found.map { Entrants(workloads: [workload], peers: [$0]) }
      } else if let last = groups.indices.last, groups[last].workloads[0].base == workload.base {
        groups[last].workloads.append(workload)
      } else if !found.isEmpty {
        groups.append(Entrants(workloads: [workload], peers: found))
      }
    }
    return groups
  }

  /// Runs all repetitions and the trace of Plumb's, and adds what was found.
  func run(_ result: inout PeersResult) throws {
    var sides: [Side] = []
    defer { for side in sides { side.session.quit() } }
    for workload in entrants.workloads {
      sides.append(
        Side(
          session: try bench.ownSession(workload), rounds: rounds(nil),
          measurement: try bench.measurement("plumb", workload)))
    }
    for peer in entrants.peers {
      let workload = WorkloadName(base: entrants.workloads[0].base, variant: nil)
      sides.append(
        Side(
          session: try python.session(peer, workload, options: bench.options),
          rounds: rounds(peer), measurement: try bench.measurement(peer.rawValue, workload)))
    }
    for side in sides {
      try side.session.load()
      result.versions.merge(side.session.versions) { $1 }
      _ = try side.session.go()
    }
    for round in 0..<(sides.map(\.rounds).max() ?? 0) {
      for index in sides.indices where round < sides[index].rounds {
        sides[index].measurement.add(try sides[index].session.go())
      }
      bench.tell("\(entrants.workloads[0]): round \(round + 1)")
    }
    for index in sides.indices where sides[index].measurement.side != "plumb" {
      sides[index].session.quit()
    }
    for index in sides.indices where sides[index].measurement.side == "plumb" {
      sides[index].measurement.products = try sides[index].session.trace()
    }
    result.add(sides.map(\.measurement), pairs: entrants)
  }

  private struct Side {
    let session: Session
    let rounds: Int
    var measurement: Measurement
  }

  private func rounds(_ peer: Peer?) -> Int {
    if let repeats { return repeats }
    let workload = entrants.workloads[0]
    let isSlow =
      peer == .trl || workload.isPolicyUpdate || workload.base.hasPrefix("generate")
      || bench.isLarge
    return isSlow ? 3 : 5
  }
}
