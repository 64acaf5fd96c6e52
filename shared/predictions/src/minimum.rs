//! The lowest point of a function: the downhill simplex of Nelder and Mead (1965).

/// Evaluations of one descent. Four parameters need some two hundred.
const MAX_STEPS: usize = 600;
/// A simplex whose corners differ less is at the bottom.
const TOLERANCE: f64 = 1e-10;

struct Corner<const N: usize> {
    at: [f64; N],
    height: f64,
}

/// Descends from `start`, twice: the second time from where the first came to rest, because a simplex can
/// collapse on the way.
pub(crate) fn of<const N: usize>(start: [f64; N], function: impl Fn(&[f64; N]) -> f64) -> [f64; N] {
    descend(descend(start, 1.0, &function), 0.25, &function)
}

fn descend<const N: usize>(start: [f64; N], size: f64, function: &impl Fn(&[f64; N]) -> f64) -> [f64; N] {
    let corner = |at: [f64; N]| {
        let height = function(&at);
        Corner { at, height: if height.is_nan() { f64::INFINITY } else { height } }
    };
    let mut simplex = vec![corner(start)];
    simplex.extend((0..N).map(|axis| {
        let mut at = start;
        at[axis] += size;
        corner(at)
    }));
    for _ in 0..MAX_STEPS {
        simplex.sort_by(|one, other| one.height.total_cmp(&other.height));
        let (lowest, second, highest) = (simplex[0].height, simplex[N - 1].height, simplex[N].height);
        if highest - lowest < TOLERANCE {
            break;
        }
        // A point on the line from the highest corner through the middle of the others.
        let others = &simplex[..N];
        let middle: [f64; N] =
            std::array::from_fn(|axis| others.iter().map(|corner| corner.at[axis]).sum::<f64>() / N as f64);
        let away = |factor: f64| {
            corner(std::array::from_fn(|axis| middle[axis] + factor * (middle[axis] - simplex[N].at[axis])))
        };
        let reflected = away(1.0);
        let replacement = if reflected.height < lowest {
            let expanded = away(2.0);
            Some(if expanded.height < reflected.height { expanded } else { reflected })
        } else if reflected.height < second {
            Some(reflected)
        } else {
            let contracted = away(if reflected.height < highest { 0.5 } else { -0.5 });
            (contracted.height < highest.min(reflected.height)).then_some(contracted)
        };
        if let Some(replacement) = replacement {
            simplex[N] = replacement;
        } else {
            let best = simplex[0].at;
            for shrunk in &mut simplex[1..] {
                *shrunk = corner(std::array::from_fn(|axis| f64::midpoint(best[axis], shrunk.at[axis])));
            }
        }
    }
    simplex.into_iter().min_by(|one, other| one.height.total_cmp(&other.height)).map_or(start, |best| best.at)
}

#[cfg(test)]
mod tests {
    #[test]
    fn finds_the_bottom_of_a_bent_valley() {
        // Rosenbrock's.
        let valley = |[x, y]: &[f64; 2]| (1.0 - x) * (1.0 - x) + 100.0 * (y - x * x) * (y - x * x);
        let [x, y] = super::of([-1.2, 1.0], valley);
        assert!((x - 1.0).abs() < 1e-3 && (y - 1.0).abs() < 1e-3, "{x} {y}");
    }

    #[test]
    fn walls_and_what_is_no_number_are_avoided() {
        let walled = |[x]: &[f64; 1]| if *x < 2.0 { f64::NAN } else { *x };
        let [x] = super::of([5.0], walled);
        assert!((x - 2.0).abs() < 1e-3, "{x}");
        assert_eq!(super::of([5.0], |_| f64::NAN).map(f64::to_bits), [5.0_f64.to_bits()]);
    }
}
