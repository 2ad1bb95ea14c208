export class Badges {
  constructor(..._: unknown[]) {}
}
