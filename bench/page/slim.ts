/** Leaves out of an SVG what nobody sees: names of the parts, empty ones, and decimals beyond the second. */
export function slim(svg: string, title: string): string {
  let text = svg
    .replace(/ (?:class|pointer-events|aria-[a-z]+|role|xmlns:xlink)="[^"]*"/g, '')
    .replace(/ (?:transform="translate\(0,0\)"|opacity="1"|stroke-width="1"|font-style="[^"]*"|[xy]2="0")/g, '')
    .replace(/-?\d+\.\d{3,}/g, (number) => String(Number(Number(number).toFixed(2))))
    .replace(/<path d=""[^>]*>(?:<\/path>)?/g, '')
    .replace(/<path d="[^"]*"\/?>(?:<\/path>)?/g, '') // a ground without a colour
  for (let before = ''; before !== text; ) {
    before = text
    text = text.replace(/<g(?: transform="[^"]*")?><\/g>/g, '')
  }
  return `${text.replace(/>/, ` role="img"><title>${escaped(title)}</title>`)}\n`
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;')
}
