/** A few counts as bars, small enough for a cell of a table. */

const WIDTH = 120;
const HEIGHT = 28;

export function Bars({ counts, label }: { counts: readonly number[]; label: string }) {
  const highest = Math.max(...counts, 1);
  const width = WIDTH / Math.max(counts.length, 1);
  return (
    <svg width={WIDTH} height={HEIGHT} role="img" aria-label={label} fill="currentColor" opacity={0.6}>
      {counts.map((count, index) => {
        const height = count === 0 ? 0 : Math.max((count / highest) * HEIGHT, 1);
        return <rect key={index} x={index * width} y={HEIGHT - height} width={Math.max(width - 1, 0.5)} height={height} />;
      })}
    </svg>
  );
}
